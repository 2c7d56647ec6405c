import { instantText } from '../../core/index.ts';
import type { PriceRow } from './price-book.ts';

/**
 * What is wrong with putting the rows `after` in the place of `before`, in words: what was there must stay as it was, and may only be given an
 * end that has not come yet. Together with `priceBookFaults`, which lets no two rows hold at once, no instant that is past is priced again.
 */
export function bookChangeFaults(before: readonly PriceRow[], after: readonly PriceRow[], nowMs: number): string[] {
  const rows = new Map(after.map((row) => [row.id, row]));
  return before.flatMap(({ id, model, tier, effectiveFromMs, effectiveToMs }) => {
    const row = rows.get(id);
    const name = `the row of ${model} (${tier}) from ${instantText(effectiveFromMs)}`;
    if (row === undefined) return [`have no more ${name}, or say another price there; rows that were read once stay as they are: end it, and add another one`];
    if (row.effectiveToMs === effectiveToMs) return [];
    const isPast = (effectiveToMs ?? Infinity) <= nowMs || (row.effectiveToMs ?? Infinity) < nowMs;
    return isPast ? [`end ${name} at another time, which is past; what was used is never priced again`] : [];
  });
}
