/** A trace cannot be read: the message names file, line and field, and what would be right. */
export class TraceError extends Error {}

/** A whole number from `minimum`; throws TraceError that names where it stood. */
export function wholeNumber(value: unknown, minimum: number, at: string, field: string): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= minimum) return value;
  throw new TraceError(`${at}: '${field}' must be a whole number from ${minimum}, not ${JSON.stringify(value) ?? 'nothing'}`);
}
