import { instantMs, isDate, isTimeZone, minuteOf, WEEKDAYS } from '../core/index.ts';
import type { PricesSettings } from './prices-schema.ts';
import type { SchemaFault } from './schema-faults.ts';
import type { ConfigPath } from './schema-walk.ts';

type CalendarSettings = PricesSettings['calendars'][string];
type WindowSettings = CalendarSettings['windows'][number];
type RowSettings = PricesSettings['prices'][number];

const DAY_MINUTES = 1_440;

/** What is wrong between the values of a price book, and with its dates. */
export function pricesFaults({ calendars, prices }: PricesSettings): SchemaFault[] {
  return [
    ...Object.entries(calendars).flatMap(([name, calendar]) => calendarFaults(['calendars', name], calendar)),
    ...prices.flatMap((row, at) => [...dateFaults(['prices', at], row), ...hoursFaults(['prices', at], row, calendars)]),
  ];
}

function calendarFaults(path: ConfigPath, { time_zone: zone, windows, holidays }: CalendarSettings): SchemaFault[] {
  return [
    ...(isTimeZone(zone) ? [] : [{ path: [...path, 'time_zone'], message: `is ${JSON.stringify(zone)}; it must be a zone such as UTC or Asia/Shanghai` }]),
    ...holidays.flatMap((date, at) =>
      isDate(date) ? [] : [{ path: [...path, 'holidays', at], message: `is ${JSON.stringify(date)}; it must be a date, as 2026-12-25` }],
    ),
    ...windows.flatMap((window, at) => {
      const other = windows.slice(0, at).find((earlier) => earlier.name !== window.name && (meets(earlier, window) || meets(window, earlier)));
      return other === undefined ? [] : [{ path: [...path, 'windows', at], message: `shares a minute with the window ${other.name}` }];
    }),
  ];
}

/** Whether they share a minute of a day on which both begin, or `a` still lasts when `b` begins on the day after. */
function meets(a: WindowSettings, b: WindowSettings): boolean {
  const [from, to, otherFrom, otherTo] = [minuteOf(a.from), minuteOf(a.to), minuteOf(b.from), minuteOf(b.to)];
  const end = to <= from ? DAY_MINUTES : to;
  const otherEnd = otherTo <= otherFrom ? DAY_MINUTES : otherTo;
  if (a.days.some((day) => b.days.includes(day)) && from < otherEnd && otherFrom < end) return true;
  return to <= from && otherFrom < to && a.days.some((day) => b.days.some((next) => mayFollow(next, day)));
}

/** A holiday may come before and after any day. */
function mayFollow(next: WindowSettings['days'][number], day: WindowSettings['days'][number]): boolean {
  if (next === 'holiday' || day === 'holiday') return true;
  return WEEKDAYS.indexOf(next) === (WEEKDAYS.indexOf(day) + 1) % WEEKDAYS.length;
}

function dateFaults(path: ConfigPath, { effective_from: from, effective_to: to }: RowSettings): SchemaFault[] {
  const given = { effective_from: from, ...(to === undefined ? {} : { effective_to: to }) };
  const faults = Object.entries(given).flatMap(([key, text]) =>
    instantMs(text) === null ? [{ path: [...path, key], message: `is ${JSON.stringify(text)}; it must be an instant with its zone, as 2025-02-08T16:00:00Z` }] : [],
  );
  if (faults.length > 0 || to === undefined || Number(instantMs(from)) < Number(instantMs(to))) return faults;
  return [{ path: [...path, 'effective_to'], message: `is ${to}; it must be after effective_from, which is ${from}` }];
}

function hoursFaults(path: ConfigPath, { calendar, window }: RowSettings, calendars: PricesSettings['calendars']): SchemaFault[] {
  if (calendar === undefined) return window === undefined ? [] : [{ path: [...path, 'window'], message: 'needs a calendar, which says when it is' }];
  const found = Object.hasOwn(calendars, calendar) ? calendars[calendar] : undefined;
  if (found === undefined) return [{ path: [...path, 'calendar'], message: `is ${JSON.stringify(calendar)}, which is not under calendars` }];
  const names = [...new Set(found.windows.map(({ name }) => name))];
  if (window === undefined || names.includes(window)) return [];
  return [{ path: [...path, 'window'], message: `is ${JSON.stringify(window)}; this calendar has ${names.join(', ')}` }];
}
