import { expect, test } from 'vitest';
import { CurrentPrices, PriceDesk, type PriceRow } from '../../src/billing/index.ts';
import { nanoUsdPerMTok } from '../../src/core/index.ts';
import { ManualClock } from '../support/manual-clock.ts';

const HOUR_MS = 3_600_000;

function deskOver(stored: PriceRow[]): { desk: PriceDesk; prices: CurrentPrices } {
  const prices = new CurrentPrices([]);
  const ledger = {
    addPrice: async (row: PriceRow) => {
      await Promise.resolve();
      stored.push(row);
    },
    prices: async () => Promise.resolve([...stored]),
  };
  return { desk: new PriceDesk({ rows: [], prices, ledger, clock: new ManualClock() }), prices };
}

const PRICE = { model: 'm', tier: 'standard', input: nanoUsdPerMTok(10), inputCached: nanoUsdPerMTok(1), output: nanoUsdPerMTok(20) } as const;

test('of two prices for one time that come at once one is refused, and the books hold what may be loaded again', async () => {
  const stored: PriceRow[] = [];
  const { desk } = deskOver(stored);
  const effectiveFromMs = new ManualClock().wallMs() + HOUR_MS;
  const added = await Promise.allSettled([desk.add({ ...PRICE, effectiveFromMs }), desk.add({ ...PRICE, output: nanoUsdPerMTok(30), effectiveFromMs })]);
  expect(added.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
  expect(stored).toHaveLength(1);
  await deskOver(stored).desk.load();
});

test('of prices for different times that come at once each is in force from its time on', async () => {
  const { desk, prices } = deskOver([]);
  const fromMs = new ManualClock().wallMs() + HOUR_MS;
  await Promise.all([0, 1, 2].map((hours) => desk.add({ ...PRICE, output: nanoUsdPerMTok(30 + hours), effectiveFromMs: fromMs + hours * HOUR_MS })));
  expect([0, 1, 2].map((hours) => prices.at('m', 'standard', fromMs + hours * HOUR_MS)?.output)).toEqual([30, 31, 32]);
});
