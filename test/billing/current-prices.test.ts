import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CurrentPrices, PriceBook, priceRows, requestPrice } from '../../src/billing/index.ts';
import { loadPrices } from '../../src/config/index.ts';
import { PRIORITIES } from '../../src/core/index.ts';

const ROWS = priceRows(loadPrices('config/prices.yaml'));
const BOOK = new PriceBook(ROWS);
const FROM_MS = Date.parse('2024-12-20T00:00:00Z');
const TO_MS = Date.parse('2025-10-01T00:00:00Z');
const EDGES_MS = ROWS.flatMap(({ effectiveFromMs }) => [-60_000, -1, 0, 1, 60_000].map((offset) => effectiveFromMs + offset));

const instants = fc.oneof(
  fc.integer({ min: FROM_MS, max: TO_MS }),
  fc.constantFrom(...EDGES_MS),
  // Around the edges of the window, of any day.
  fc.tuple(fc.integer({ min: 0, max: 280 }), fc.constantFrom('16:30', '00:30'), fc.integer({ min: -2, max: 2 })).map(([day, time, offset]) => FROM_MS + day * 86_400_000 + Date.parse(`1970-01-01T${time}Z`) + offset),
);

test('the price that is remembered is the one of the book, in any order of instants', () => {
  fc.assert(
    fc.property(fc.array(instants, { minLength: 2 }), (list) => {
      const prices = new CurrentPrices(ROWS);
      for (const admittedAtMs of list) {
        const row = BOOK.find({ model: 'deepseek-v3', tier: 'standard', admittedAtMs });
        expect(prices.at('deepseek-v3', 'standard', admittedAtMs)).toEqual(row === null ? null : requestPrice(row));
      }
    }),
  );
});

test('a class without a tier of its own pays the standard price, and one with a tier its own', () => {
  const [row] = ROWS.toReversed();
  if (row === undefined) throw new Error('the book is empty');
  const batch = { ...row, id: 'price_batch', tier: 'batch' as const };
  const prices = new CurrentPrices([row, batch]);
  const ids = PRIORITIES.map((priority) => prices.at('deepseek-v3', priority, TO_MS)?.row);
  expect(ids).toEqual([row.id, row.id, 'price_batch']);
  expect(prices.at('another', 'standard', TO_MS)).toBeNull();
});

test('rows that say the same have the same name, whatever their end; others have another', () => {
  const again = priceRows(loadPrices('config/prices.yaml'));
  expect(again.map(({ id }) => id)).toEqual(ROWS.map(({ id }) => id));
  expect(new Set(ROWS.map(({ id }) => id)).size).toBe(ROWS.length);
});
