/** The table of the events that were booked in a month. */
export function partOf(month: string): string {
  return `events_${month.replace('-', '_')}`;
}
