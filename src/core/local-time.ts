import { DAY_MS, SECOND_MS } from './durations.ts';
export const WEEKDAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] as const;
export type Weekday = (typeof WEEKDAYS)[number];

/** A day of the calendar, wherever it is. */
export interface LocalDay {
  /** As 2026-11-26. */
  readonly date: string;
  readonly weekday: Weekday;
}

export interface LocalTime {
  readonly day: LocalDay;
  readonly dayBefore: LocalDay;
  /** Of the day, 0 to 1,439. */
  readonly minute: number;
}

const INSTANT = /^(\d{4})-(\d\d)-(\d\d)T([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,3})?)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$/;
const formats = new Map<string, Intl.DateTimeFormat>();

/** Milliseconds since the epoch of a time in ISO 8601 that says its zone; null for anything else, and for days that are not. */
export function instantMs(text: string): number | null {
  const match = INSTANT.exec(text);
  if (match === null) return null;
  const [, year, month, day] = match;
  const midnightMs = Date.UTC(Number(year), Number(month) - 1, Number(day));
  return dayOf(midnightMs).date === `${year}-${month}-${day}` ? Date.parse(text) : null;
}

/** Whole seconds since the epoch, as OpenAI's shapes have them. */
export function epochSeconds(wallMs: number): number;
export function epochSeconds(wallMs: number | null): number | null;
export function epochSeconds(wallMs: number | null): number | null {
  return wallMs === null ? null : Math.floor(wallMs / SECOND_MS);
}

/** For libraries that want one. */
export function dateOf(wallMs: number): Date {
  return new Date(wallMs);
}

/** The instant as 2026-11-26T20:04:40.000Z. */
export function instantText(wallMs: number): string {
  return new Date(wallMs).toISOString();
}

/** The minute of the day that `clock` shows, as 16:30; 24:00 is the end of the day. */
export function minuteOf(clock: string): number {
  return Number(clock.slice(0, 2)) * 60 + Number(clock.slice(3));
}

/** Whether `text` is a day of the calendar, as 2026-11-26. */
export function isDate(text: string): boolean {
  return /^\d{4}-\d\d-\d\d$/.test(text) && instantMs(`${text}T00:00Z`) !== null;
}

/** Whether `name` is a time zone of the IANA database, or UTC. */
export function isTimeZone(name: string): boolean {
  try {
    formatOf(name);
    return true;
  } catch {
    return false;
  }
}

/** What clocks and calendars show at `wallMs` in `timeZone`. */
export function localTime(wallMs: number, timeZone: string): LocalTime {
  const parts = Object.fromEntries(formatOf(timeZone).formatToParts(wallMs).map(({ type, value }) => [type, Number(value)]));
  const midnightMs = Date.UTC(parts['year'] ?? 0, (parts['month'] ?? 1) - 1, parts['day']);
  return { day: dayOf(midnightMs), dayBefore: dayOf(midnightMs - DAY_MS), minute: (parts['hour'] ?? 0) * 60 + (parts['minute'] ?? 0) };
}

function dayOf(midnightMs: number): LocalDay {
  const date = new Date(midnightMs);
  return { date: date.toISOString().slice(0, 10), weekday: WEEKDAYS[date.getUTCDay()] ?? 'sun' };
}

/** Making one takes far longer than using it. */
function formatOf(timeZone: string): Intl.DateTimeFormat {
  let format = formats.get(timeZone);
  if (format === undefined) {
    format = new Intl.DateTimeFormat('en-US', { timeZone, hourCycle: 'h23', year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric' });
    formats.set(timeZone, format);
  }
  return format;
}
