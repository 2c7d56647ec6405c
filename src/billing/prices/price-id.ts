import { createHash } from 'node:crypto';
import type { PriceRow } from './price-book.ts';

const HEX_CHARS = 16;

/**
 * The name of a row by what it says, `price_` and 16 hex digits: the same row has the same name wherever the book is read.
 * Its end is no part of it, since a row that holds for good is ended when the next one is added.
 */
export function priceId({ model, tier, effectiveFromMs, hours, input, inputCached, output }: Omit<PriceRow, 'id' | 'effectiveToMs'>): string {
  const calendar = hours === null ? null : { ...hours.calendar, holidays: [...hours.calendar.holidays].toSorted() };
  const said = [model, tier, effectiveFromMs, calendar, hours?.window ?? null, ...[input, inputCached, output].map(String)];
  return `price_${createHash('sha256').update(JSON.stringify(said)).digest('hex').slice(0, HEX_CHARS)}`;
}
