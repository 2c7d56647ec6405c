import { localTime, type LocalDay } from '../../core/index.ts';

/** A weekday, or `holiday`: what a day is that stands in the calendar's list of holidays, whatever its weekday. */
export type DayKind = LocalDay['weekday'] | 'holiday';

/** A part of the day; when `toMinute` is not after `fromMinute` it ends on the day after the one it began on. */
export interface PriceWindow {
  readonly name: string;
  /** On which it begins. */
  readonly days: readonly DayKind[];
  /** Minutes of the local day, 0 to 1,439. */
  readonly fromMinute: number;
  /** Minutes of the local day, 0 to 1,440; not part of the window. */
  readonly toMinute: number;
}

/** Weekly windows by the clocks of one time zone. Windows of different names share no minute. */
export interface PriceCalendar {
  readonly timeZone: string;
  readonly windows: readonly PriceWindow[];
  /** Dates as 2026-12-25. */
  readonly holidays: ReadonlySet<string>;
}

/** The name of the window that `wallMs` lies in; null: in none. */
export function windowAt({ timeZone, windows, holidays }: PriceCalendar, wallMs: number): string | null {
  const { day, dayBefore, minute } = localTime(wallMs, timeZone);
  const kindOf = ({ date, weekday }: LocalDay): DayKind => (holidays.has(date) ? 'holiday' : weekday);
  const today = kindOf(day);
  const yesterday = kindOf(dayBefore);
  const found = windows.find((window) => {
    const { days, fromMinute, toMinute } = window;
    if (days.includes(today) && minute >= fromMinute && (minute < toMinute || isOverMidnight(window))) return true;
    return days.includes(yesterday) && isOverMidnight(window) && minute < toMinute;
  });
  return found?.name ?? null;
}

function isOverMidnight({ fromMinute, toMinute }: PriceWindow): boolean {
  return toMinute <= fromMinute;
}
