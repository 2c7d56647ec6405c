import { instantText } from '../../core/index.ts';
import { seriesOf, type PriceRow } from './price-book.ts';

export interface PriceFault {
  /** Two rows hold at one instant; or, between rows of one model and tier, none does. */
  readonly kind: 'overlap' | 'gap';
  /** The row at fault, by its place in the book. */
  readonly row: number;
  readonly message: string;
}

interface Placed {
  readonly row: PriceRow;
  readonly index: number;
}

/**
 * Where a book does not say exactly one price: it is cut at every date of a row, and between two cuts there must be one row
 * for all hours, or one for each window of one calendar and one for the hours outside. What lies before a model's first row
 * and after its last is no gap.
 */
export function priceBookFaults(rows: readonly PriceRow[]): PriceFault[] {
  const series = Map.groupBy(rows.map((row, index): Placed => ({ row, index })), ({ row }) => seriesOf(row));
  return [...series.values()].flatMap(seriesFaults);
}

function seriesFaults(series: readonly Placed[]): PriceFault[] {
  const dates = series.flatMap(({ row }) => [row.effectiveFromMs, row.effectiveToMs ?? Infinity]);
  const cuts = [...new Set(dates)].toSorted((a, b) => a - b);
  let before = series[0];
  return cuts.slice(0, -1).flatMap((fromMs, at) => {
    const toMs = cuts[at + 1] ?? Infinity;
    const held = series.filter(({ row }) => row.effectiveFromMs <= fromMs && (row.effectiveToMs ?? Infinity) >= toMs);
    const faults = held.length === 0 && before !== undefined ? [gap(before, fromMs, toMs, 'no price')] : [...overlaps(held, fromMs, toMs), ...hourGaps(held, fromMs, toMs)];
    before = held[0] ?? before;
    return faults;
  });
}

function overlaps(held: readonly Placed[], fromMs: number, toMs: number): PriceFault[] {
  return held.flatMap(({ row, index }, at) => {
    const other = held.slice(0, at).find((earlier) => canMeet(earlier.row, row));
    if (other === undefined) return [];
    return [{ kind: 'overlap' as const, row: index, message: `overlaps prices[${other.index}] ${span(fromMs, toMs)}` }];
  });
}

/** Rows by different calendars may share an hour, this week or another. */
function canMeet(a: PriceRow, b: PriceRow): boolean {
  if (a.hours === null || b.hours === null || a.hours.calendar !== b.hours.calendar) return true;
  return a.hours.window === b.hours.window;
}

function hourGaps(held: readonly Placed[], fromMs: number, toMs: number): PriceFault[] {
  const [first] = held;
  const calendar = first?.row.hours?.calendar;
  if (first === undefined || calendar === undefined) return [];
  const wanted = new Set<string | null>([...calendar.windows.map(({ name }) => name), null]);
  for (const { row } of held) if (row.hours !== null) wanted.delete(row.hours.window);
  return [...wanted].map((window) => gap(first, fromMs, toMs, `no price ${window === null ? 'outside all windows' : `in the window ${window}`}`));
}

function gap({ row, index }: Placed, fromMs: number, toMs: number, what: string): PriceFault {
  return { kind: 'gap', row: index, message: `leaves ${row.model} (${row.tier}) with ${what} ${span(fromMs, toMs)}` };
}

function span(fromMs: number, toMs: number): string {
  return `from ${instantText(fromMs)} ${toMs === Infinity ? 'on' : `to ${instantText(toMs)}`}`;
}
