import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { chargeOf, chargeTotal, PriceBook, priceBookFaults, priceRows, requestPrice, type PriceRow } from '../../src/billing/index.ts';
import { loadPrices } from '../../src/config/index.ts';
import { instantMs, nanoUsdPerMTok, usdText } from '../../src/core/index.ts';

const USAGE = { promptTokens: 3_000_000, cachedTokens: 1_000_000, completionTokens: 1_000_000, reasoningTokens: 400_000 };
const EVERY_DAY = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'holiday'] as const;

const shipped = priceRows(loadPrices('config/prices.yaml'));

function at(text: string): number {
  const ms = instantMs(text);
  if (ms === null) throw new Error(`${text} is no instant`);
  return ms;
}

function priceAt(text: string): string[] | null {
  const row = new PriceBook(shipped).find({ model: 'deepseek-v3', tier: 'standard', admittedAtMs: at(text) });
  return row === null ? null : [row.inputCached, row.input, row.output].map((price) => String(Number(price) / 1e9));
}

describe("DeepSeek's prices, which come with the project", () => {
  const INTRODUCTORY = ['0.014', '0.14', '0.28'];
  const V3 = ['0.07', '0.27', '1.1'];
  const V3_OFF_PEAK = ['0.035', '0.135', '0.55'];
  const V31 = ['0.07', '0.56', '1.68'];

  test.each([
    ['2025-01-15T12:00:00Z', INTRODUCTORY],
    ['2025-02-08T15:59:59.999Z', INTRODUCTORY],
    ['2025-02-08T16:00:00.000Z', V3],
    ['2025-02-20T20:00:00Z', V3],
    ['2025-02-25T23:59:59.999Z', V3],
    ['2025-02-26T16:29:59.999Z', V3],
    ['2025-02-26T16:30:00.000Z', V3_OFF_PEAK],
    ['2025-02-27T00:00:00.000Z', V3_OFF_PEAK],
    ['2025-02-27T00:29:59.999Z', V3_OFF_PEAK],
    ['2025-02-27T00:30:00.000Z', V3],
    ['2025-09-05T15:59:59.999Z', V3],
    ['2025-09-05T16:00:00.000Z', V31],
    ['2025-09-05T17:00:00Z', V31],
    ['2026-11-26T20:00:00Z', V31],
  ])('at %s', (instant, prices) => {
    expect(priceAt(instant)).toEqual(prices);
  });

  test('there is none before the first, and for what is not in the book', () => {
    expect(priceAt('2024-12-25T23:59:59.999Z')).toBeNull();
    const book = new PriceBook(shipped);
    expect(book.find({ model: 'deepseek-v3', tier: 'batch', admittedAtMs: at('2025-06-01T00:00:00Z') })).toBeNull();
    expect(book.find({ model: 'other', tier: 'standard', admittedAtMs: at('2025-06-01T00:00:00Z') })).toBeNull();
  });

  test('the book has no faults', () => expect(priceBookFaults(shipped)).toEqual([]));
});

const PLAIN = { id: 'price_plain', model: 'm', tier: 'standard', effectiveToMs: null, hours: null, input: nanoUsdPerMTok(5), inputCached: nanoUsdPerMTok(3), output: nanoUsdPerMTok(7) } as const;
const NIGHT = { timeZone: 'Asia/Shanghai', windows: [{ name: 'night', days: EVERY_DAY, fromMinute: 1_320, toMinute: 360 }], holidays: new Set<string>() };

test('a request costs what was cached, what was not, and the answer with its reasoning once', () => {
  const row = { ...PLAIN, effectiveFromMs: 0, input: nanoUsdPerMTok(270_000_000), inputCached: nanoUsdPerMTok(70_000_000), output: nanoUsdPerMTok(1_100_000_000) };
  expect(usdText(chargeTotal(chargeOf(USAGE, requestPrice(row))))).toBe('1.71');
  expect(chargeTotal(chargeOf(USAGE, null))).toBe(0n);
});

describe('faults of a book', () => {
  test('two rows at one time overlap', () => {
    expect(priceBookFaults([{ ...PLAIN, effectiveFromMs: 0 }, { ...PLAIN, effectiveFromMs: 86_400_000 }])).toEqual([
      { kind: 'overlap', row: 1, message: 'overlaps prices[0] from 1970-01-02T00:00:00.000Z on' },
    ]);
  });

  test('a time between two rows is a gap', () => {
    expect(priceBookFaults([{ ...PLAIN, effectiveFromMs: 0, effectiveToMs: 1_000 }, { ...PLAIN, effectiveFromMs: 2_000 }])).toEqual([
      { kind: 'gap', row: 0, message: 'leaves m (standard) with no price from 1970-01-01T00:00:01.000Z to 1970-01-01T00:00:02.000Z' },
    ]);
  });

  test('hours that no row has are a gap', () => {
    const [fault] = priceBookFaults([{ ...PLAIN, effectiveFromMs: 0, hours: { calendar: NIGHT, window: 'night' } }]);
    expect(fault).toMatchObject({ kind: 'gap', row: 0, message: expect.stringContaining('no price outside all windows') });
  });

  test('a row for all hours and one for some overlap, and so do rows by two calendars', () => {
    const night = { ...PLAIN, effectiveFromMs: 0, hours: { calendar: NIGHT, window: 'night' } };
    const kinds = (rows: readonly PriceRow[]): string[] => priceBookFaults(rows).map(({ kind }) => kind);
    expect(kinds([night, { ...PLAIN, effectiveFromMs: 0 }])).toContain('overlap');
    expect(kinds([night, { ...PLAIN, effectiveFromMs: 0, hours: { calendar: { ...NIGHT }, window: null } }])).toContain('overlap');
    expect(kinds([night, { ...PLAIN, effectiveFromMs: 0, hours: { calendar: NIGHT, window: null } }])).toEqual([]);
  });
});

describe('any book', () => {
  const HOUR_MS = 3_600_000;
  const hours = fc.constantFrom(null, { calendar: NIGHT, window: 'night' }, { calendar: NIGHT, window: null });
  const row = fc.record({ from: fc.nat(96), length: fc.option(fc.integer({ min: 1, max: 48 })), hours }).map(({ from, length, hours: when }) => ({
    ...PLAIN,
    effectiveFromMs: from * HOUR_MS,
    effectiveToMs: length === null ? null : (from + length) * HOUR_MS,
    hours: when,
  }));

  test('has one price at each instant where no fault is told, and two where an overlap is', () => {
    fc.assert(
      fc.property(fc.array(row, { minLength: 1, maxLength: 4 }), (rows) => {
        // Each row by itself says whether it holds; the book's own choice is not asked.
        const counts = Array.from({ length: 200 }, (_, hour) =>
          rows.filter((one) => new PriceBook([one]).find({ model: 'm', tier: 'standard', admittedAtMs: hour * HOUR_MS }) !== null).length,
        );
        const faults = priceBookFaults(rows);
        const first = Math.min(...rows.map(({ effectiveFromMs }) => effectiveFromMs)) / HOUR_MS;
        const last = Math.max(...rows.map(({ effectiveToMs }) => effectiveToMs ?? Infinity)) / HOUR_MS;
        const inside = counts.filter((_, hour) => hour >= first && hour < last);
        if (!faults.some(({ kind }) => kind === 'overlap')) expect(Math.max(...counts)).toBeLessThanOrEqual(1);
        if (faults.length === 0) expect(new Set(inside)).toEqual(new Set([1]));
      }),
      { numRuns: 300 },
    );
  });
});

test('a window goes by the days on which it begins, over midnight and on holidays', () => {
  const calendar = {
    timeZone: 'UTC',
    windows: [
      { name: 'late', days: ['fri', 'holiday'], fromMinute: 1_320, toMinute: 120 },
      { name: 'holiday', days: ['holiday'], fromMinute: 120, toMinute: 1_320 },
    ],
    holidays: new Set(['2026-11-26', '2026-12-25']),
  } as const;
  const book = new PriceBook(['late', 'holiday'].map((window) => ({ ...PLAIN, effectiveFromMs: 0, hours: { calendar, window } })));
  const windowOf = (text: string): string | null => book.find({ model: 'm', tier: 'standard', admittedAtMs: at(text) })?.hours?.window ?? null;
  // Friday 20th and the Saturday after it; Thursday 26th is a holiday; Friday 25th of December is one, and no Friday.
  expect(['2026-11-20T21:59Z', '2026-11-20T22:00Z', '2026-11-21T01:59Z', '2026-11-21T02:00Z'].map(windowOf)).toEqual([null, 'late', 'late', null]);
  expect(['2026-11-26T01:00Z', '2026-11-26T12:00Z', '2026-11-26T23:00Z', '2026-11-27T01:00Z'].map(windowOf)).toEqual([null, 'holiday', 'late', 'late']);
  expect(['2026-12-25T12:00Z', '2026-12-27T23:00Z'].map(windowOf)).toEqual(['holiday', null]);
});

test('a window within a day has its first minute, and not the one at which it ends', () => {
  const calendar = { timeZone: 'UTC', windows: [{ name: 'noon', days: EVERY_DAY, fromMinute: 720, toMinute: 780 }], holidays: new Set<string>() };
  const book = new PriceBook([{ ...PLAIN, effectiveFromMs: 0, hours: { calendar, window: 'noon' } }]);
  const holds = (text: string): boolean => book.find({ model: 'm', tier: 'standard', admittedAtMs: at(text) }) !== null;
  expect(['2026-11-20T11:59:59.999Z', '2026-11-20T12:00Z', '2026-11-20T12:59:59.999Z', '2026-11-20T13:00Z'].map(holds)).toEqual([false, true, true, false]);
});
