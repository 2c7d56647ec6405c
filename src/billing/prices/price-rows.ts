import { instantMs, minuteOf, nanoUsdPerMTok } from '../../core/index.ts';
import type { PriceRow, PriceTier } from './price-book.ts';
import { priceId } from './price-id.ts';
import type { DayKind, PriceCalendar } from './price-calendar.ts';

/** A price book as its file has it, found well-formed: times of day as `16:30`, instants in ISO 8601 with their zone. */
export interface PriceBookFile {
  readonly calendars: Readonly<Record<string, CalendarInFile>>;
  readonly prices: readonly RowInFile[];
}

interface CalendarInFile {
  readonly timeZone: string;
  readonly windows: readonly { readonly name: string; readonly days: readonly DayKind[]; readonly from: string; readonly to: string }[];
  readonly holidays: readonly string[];
}

interface RowInFile {
  readonly model: string;
  readonly tier: PriceTier;
  readonly effectiveFrom: string;
  readonly effectiveTo?: string;
  readonly calendar?: string;
  readonly window?: string;
  /** Nano-dollars per million tokens, as the two below. */
  readonly input: number;
  readonly inputCached: number;
  readonly output: number;
}

/** The rows of a file, in its order. Rows by one calendar share the object. */
export function priceRows({ calendars, prices }: PriceBookFile): PriceRow[] {
  const made = new Map(Object.entries(calendars).map(([name, calendar]) => [name, calendarOf(calendar)]));
  return prices.map(({ model, tier, effectiveFrom, effectiveTo, calendar, window, input, inputCached, output }) => {
    const said = {
      model,
      tier,
      effectiveFromMs: atMs(effectiveFrom),
      hours: calendar === undefined ? null : { calendar: known(made.get(calendar), calendar), window: window ?? null },
      input: nanoUsdPerMTok(input),
      inputCached: nanoUsdPerMTok(inputCached),
      output: nanoUsdPerMTok(output),
    };
    return { id: priceId(said), ...said, effectiveToMs: effectiveTo === undefined ? null : atMs(effectiveTo) };
  });
}

function calendarOf({ timeZone, windows, holidays }: CalendarInFile): PriceCalendar {
  return {
    timeZone,
    windows: windows.map(({ name, days, from, to }) => ({ name, days, fromMinute: minuteOf(from), toMinute: minuteOf(to) })),
    holidays: new Set(holidays),
  };
}

function atMs(text: string): number {
  return known(instantMs(text), text);
}

function known<T>(value: T | null | undefined, name: string): T {
  if (value == null) throw new RangeError(`the price book has no ${name}`);
  return value;
}
