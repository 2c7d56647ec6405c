import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ConfigError, loadPrices } from '../../src/config/index.ts';

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'meridian-prices-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

/** The faults of a book with one row, of which some values are replaced. */
function faultsWith(row: object, calendars: object = {}): string[] {
  const path = join(directory, 'prices.yaml');
  const whole = { model: 'm', effective_from: '2025-01-01T00:00:00Z', input: 5, input_cached: 3, output: 7, ...row };
  writeFileSync(path, JSON.stringify({ calendars, prices: [whole] }));
  try {
    loadPrices(path);
  } catch (thrown) {
    if (thrown instanceof ConfigError) return thrown.faults.map(({ path: at, message }) => `${at} ${message}`);
    throw thrown;
  }
  return [];
}

test.each([
  [{ input: 0.07 }, 'prices[0].input is 0.07; it must be a whole number'],
  [{ output: -1 }, 'prices[0].output is -1; it must be a whole number'],
  [{ effective_from: '2025-02-08T16:00:00' }, 'prices[0].effective_from is "2025-02-08T16:00:00"; it must be an instant with its zone'],
  [{ effective_to: '2025-02-30T00:00:00Z' }, 'prices[0].effective_to is "2025-02-30T00:00:00Z"; it must be an instant with its zone'],
  [{ effective_to: '2024-01-01T00:00:00Z' }, 'prices[0].effective_to is 2024-01-01T00:00:00Z; it must be after effective_from'],
  [{ tier: 'gold' }, 'prices[0].tier is "gold"; it must be one of standard, priority, batch'],
  [{ window: 'night' }, 'prices[0].window needs a calendar'],
  [{ calendar: 'none' }, 'prices[0].calendar is "none", which is not under calendars'],
])('%o', (row, fault) => {
  expect(faultsWith(row)).toEqual([expect.stringContaining(fault)]);
});

test('currencies other than dollars are refused', () => {
  const path = join(directory, 'euros.yaml');
  writeFileSync(path, 'currency: EUR\nprices: [{ model: m, effective_from: "2025-01-01T00:00:00Z", input: 5, input_cached: 3, output: 7 }]\n');
  expect(() => loadPrices(path)).toThrow('currency is "EUR"; it must be one of USD');
});

const window = (name: string, from: string, to: string, days?: string[]): object => ({ name, from, to, ...(days === undefined ? {} : { days }) });
const calendar = (...windows: object[]): object => ({ c: { time_zone: 'UTC', windows } });

test.each([
  ['in the day', calendar(window('a', '08:00', '12:00'), window('b', '11:59', '13:00')), true],
  ['one after the other', calendar(window('a', '08:00', '12:00'), window('b', '12:00', '08:00')), false],
  ['over midnight', calendar(window('a', '22:00', '02:00', ['fri']), window('b', '01:59', '03:00', ['sat'])), true],
  ['over midnight, but days later', calendar(window('a', '22:00', '02:00', ['fri']), window('b', '01:00', '03:00', ['sun'])), false],
  ['over midnight into a holiday', calendar(window('a', '22:00', '02:00', ['fri']), window('b', '01:00', '03:00', ['holiday'])), true],
  ['from Saturday to Sunday', calendar(window('a', '01:00', '03:00', ['sun']), window('b', '22:00', '02:00', ['sat'])), true],
])('windows that meet are refused: %s', (_, calendars, isRefused) => {
  const faults = faultsWith({}, calendars);
  expect(faults).toEqual(isRefused ? [expect.stringContaining('calendars.c.windows[1] shares a minute with the window a')] : []);
});

test('zones, holidays and window names that are none are named', () => {
  const calendars = { c: { time_zone: 'Mars/Olympus', windows: [window('night', '22:00', '06:00')], holidays: ['2026-02-30'] } };
  expect(faultsWith({ calendar: 'c', window: 'nigth' }, calendars)).toEqual([
    expect.stringContaining('calendars.c.time_zone is "Mars/Olympus"'),
    expect.stringContaining('calendars.c.holidays[0] is "2026-02-30"'),
    expect.stringContaining('prices[0].window is "nigth"; this calendar has night'),
  ]);
});
