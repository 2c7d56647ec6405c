import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import { chargeOf, chargeTotal, type Ledger, type LedgerEvent, type Meter, type UsageQuery } from '../../src/billing/index.ts';
import { sumOf, type FemtoUsd } from '../../src/core/index.ts';

/** A ledger without anything in it. */
export type OpenEmpty = () => Promise<Ledger>;

const NOW_MS = Date.parse('2026-11-26T12:00:00Z');
const PRICES = [
  { row: 'price_a', tier: 'standard', window: null, input: 560_000_000, inputCached: 70_000_000, output: 1_680_000_000 },
  { row: 'price_b', tier: 'batch', window: 'night', input: 75_000_000_001, inputCached: 1, output: Number.MAX_SAFE_INTEGER },
] as const;

const meters: fc.Arbitrary<Meter> = fc.record({
  organization: fc.constantFrom('org_a', 'org_b'),
  project: fc.constantFrom('proj_a', 'proj_b'),
  keyId: fc.constantFrom('key_a', 'key_b'),
  model: fc.constantFrom('deepseek-v3', 'other'),
  endpoint: fc.constantFrom('chat.completions', 'embeddings'),
  price: fc.constantFrom(...PRICES, null),
});

const usages = fc.tuple(fc.nat(200_000), fc.nat(100), fc.nat(40_000), fc.nat(100)).map(([promptTokens, cached, completionTokens, reasoning]) => ({
  promptTokens,
  cachedTokens: Math.floor((promptTokens * Math.min(cached, 100)) / 100),
  completionTokens,
  reasoningTokens: Math.floor((completionTokens * Math.min(reasoning, 100)) / 100),
}));

const instants = fc.integer({ min: Date.parse('2026-09-28T00:00:00Z'), max: Date.parse('2026-11-03T00:00:00Z') });

/** Events with ids of their own: a third of them adjustments, which may take back. */
export const ledgerEvents = (minLength = 0): fc.Arbitrary<LedgerEvent[]> => fc
  .array(fc.record({ meter: meters, atMs: instants, usage: usages, isAdjustment: fc.integer({ max: 2, min: 0 }) }), { minLength, maxLength: 40 })
  .map((list) =>
    list.map(({ meter, atMs, usage, isAdjustment }, i): LedgerEvent => {
      if (isAdjustment > 0) return { id: `req_${i}`, kind: 'request', meter, atMs, usage };
      return { id: `req_${i}-0`, kind: 'adjustment', meter, atMs, usage: { promptTokens: -usage.promptTokens, cachedTokens: -usage.cachedTokens, completionTokens: usage.completionTokens, reasoningTokens: 0 } };
    }),
  );

const ALL: UsageQuery = { fromMs: Date.parse('2026-09-01T00:00:00Z'), toMs: Date.parse('2026-12-01T00:00:00Z'), grain: 'day', groupBy: ['organization', 'project', 'keyId', 'model', 'endpoint', 'tier', 'priceRow'], only: {} };

/** What any ledger must do, whatever it is kept in. */
export function ledgerSuite(name: string, openEmpty: OpenEmpty, runsMax = Infinity): void {
  async function opened(): Promise<Ledger> {
    const ledger = await openEmpty();
    onTestFinished(() => ledger.close());
    return ledger;
  }

  /** Applies `events` in batches that end where `cuts` say. */
  async function applied(ledger: Ledger, events: readonly LedgerEvent[], cuts: readonly number[] = []): Promise<void> {
    const ends = [...new Set([...cuts.map((cut) => cut % (events.length + 1)), events.length])].toSorted((a, b) => a - b);
    let from = 0;
    for (const end of ends) {
      await ledger.apply({ source: 'journal', position: end, events: events.slice(from, end), nowMs: NOW_MS });
      from = end;
    }
  }

  async function state(ledger: Ledger) {
    return {
      days: (await ledger.usage(ALL)).toSorted((a, b) => (JSON.stringify([a.startMs, a.group]) < JSON.stringify([b.startMs, b.group]) ? -1 : 1)),
      balances: [await ledger.balance('org_a'), await ledger.balance('org_b')],
    };
  }

  describe(`the ledger in ${name}`, () => {
    test('charges exactly what the events cost, in every view of them', async () => {
      await fc.assert(
        fc.asyncProperty(ledgerEvents(), fc.array(fc.nat(), { maxLength: 3 }), async (events, cuts) => {
          const ledger = await openEmpty();
          await applied(ledger, events, cuts);
          for (const organization of ['org_a', 'org_b']) {
            const own = events.filter(({ meter }) => meter.organization === organization);
            const cost = sumOf(own.map(({ usage, meter }) => chargeTotal(chargeOf(usage, meter.price))));
            expect((await ledger.balance(organization)).unbilled).toBe(cost);
            for (const grain of ['minute', 'hour', 'day', 'whole'] as const) {
              const sums = await ledger.usage({ ...ALL, grain, groupBy: ['model'], only: { organization: [organization] } });
              expect(sumOf(sums.map(({ amount }) => amount))).toBe(cost);
              expect(sums.reduce((sum, { requests }) => sum + requests, 0)).toBe(own.filter(({ kind }) => kind === 'request').length);
            }
          }
          expect(await ledger.faults()).toEqual([]);
          await ledger.close();
        }),
        { numRuns: Math.min(30, runsMax) },
      );
    });

    test('comes to the same in any order, in any batches, and however often an event comes again', async () => {
      await fc.assert(
        fc.asyncProperty(ledgerEvents().chain((events) => fc.tuple(fc.constant(events), fc.shuffledSubarray([...events, ...events], { minLength: 2 * events.length }))), fc.array(fc.nat(), { maxLength: 4 }), async ([events, again], cuts) => {
          const [one, other] = [await openEmpty(), await openEmpty()];
          await applied(one, events);
          await applied(other, again, cuts);
          await applied(other, events);
          expect(await state(other)).toEqual(await state(one));
          expect(await other.faults()).toEqual([]);
          await Promise.all([one.close(), other.close()]);
        }),
        { numRuns: Math.min(30, runsMax) },
      );
    });

    test('has the same projections after they are made again from nothing', async () => {
      await fc.assert(
        fc.asyncProperty(ledgerEvents(), async (events) => {
          const ledger = await openEmpty();
          await applied(ledger, events, [7]);
          const before = await state(ledger);
          await ledger.rebuild();
          expect(await state(ledger)).toEqual(before);
          expect(await ledger.faults()).toEqual([]);
          await ledger.close();
        }),
        { numRuns: Math.min(20, runsMax) },
      );
    });

    test('groups usage by what is asked, and leaves out what is not', async () => {
      const ledger = await opened();
      const meter: Meter = { organization: 'org_a', project: 'proj_a', keyId: 'key_a', model: 'deepseek-v3', endpoint: 'chat.completions', price: PRICES[0] };
      const usage = { promptTokens: 1_000, cachedTokens: 400, completionTokens: 50, reasoningTokens: 20 };
      const atMs = Date.parse('2026-10-05T10:20:30.400Z');
      const event = (id: string, change: Partial<Meter>, laterMs = 0): LedgerEvent => ({ id, kind: 'request', meter: { ...meter, ...change }, atMs: atMs + laterMs, usage });
      await applied(ledger, [event('1', {}), event('2', { keyId: 'key_b' }, 60_000), event('3', { organization: 'org_b' }), event('4', {}, 3_600_000)]);
      const sums = await ledger.usage({ ...ALL, grain: 'hour', groupBy: ['keyId'], only: { organization: ['org_a'] } });
      const amount = (600n * 560_000_000n + 400n * 70_000_000n + 50n * 1_680_000_000n) as FemtoUsd;
      const hour = Date.parse('2026-10-05T10:00:00Z');
      const group = { organization: null, project: null, model: null, endpoint: null, tier: null, priceRow: null };
      const charge = { input: 600n * 560_000_000n, inputCached: 400n * 70_000_000n, output: 50n * 1_680_000_000n };
      const once = { requests: 1, ...usage, charge, amount };
      expect(sums).toEqual([
        { startMs: hour, group: { ...group, keyId: 'key_a' }, ...once },
        { startMs: hour, group: { ...group, keyId: 'key_b' }, ...once },
        { startMs: hour + 3_600_000, group: { ...group, keyId: 'key_a' }, ...once },
      ]);
      const minutes = await ledger.usage({ ...ALL, grain: 'minute', groupBy: [], only: { keyId: ['key_b'] } });
      expect(minutes).toMatchObject([{ startMs: Date.parse('2026-10-05T10:21:00Z'), requests: 1 }]);
    });

    test('knows how far a journal was applied, and never goes back', async () => {
      const ledger = await opened();
      expect(await ledger.position('journal')).toBe(0);
      await ledger.apply({ source: 'journal', position: 12, events: [], nowMs: NOW_MS });
      await ledger.apply({ source: 'journal', position: 5, events: [], nowMs: NOW_MS });
      await ledger.apply({ source: 'another', position: 3, events: [], nowMs: NOW_MS });
      expect([await ledger.position('journal'), await ledger.position('another')]).toEqual([12, 3]);
    });

    test('credit that was paid or granted is there until it is used', async () => {
      const ledger = await opened();
      const credit = { organization: 'org_a', note: 'for a start', createdAtMs: NOW_MS };
      await ledger.addCredit({ ...credit, id: 'credit_1', kind: 'paid', amount: 50_000_000_000_000_000_000n as FemtoUsd });
      await ledger.addCredit({ ...credit, id: 'credit_2', kind: 'granted', amount: 7n as FemtoUsd });
      expect(await ledger.balance('org_a')).toMatchObject({ credit: 50_000_000_000_000_000_007n, granted: 7n, available: 50_000_000_000_000_000_007n, due: 0n });
      await expect(ledger.addCredit({ ...credit, id: 'credit_1', kind: 'paid', amount: 1n as FemtoUsd })).rejects.toThrow(/unique/i);
      for (const amount of [0n, -5n]) {
        await expect(ledger.addCredit({ ...credit, id: 'credit_3', kind: 'paid', amount: amount as FemtoUsd })).rejects.toMatchObject({ code: 'invalid_value', param: 'amount_usd' });
      }
      expect((await ledger.credits({ limit: 10 })).map(({ id }) => id)).toEqual(['credit_1', 'credit_2']);
      expect((await ledger.credits({ limit: 10, after: 'credit_1' })).map(({ id }) => id)).toEqual(['credit_2']);
      expect(await ledger.faults()).toEqual([]);
    });

    test('a budget counts what its organization, project or key spent, in its month or in all', async () => {
      const ledger = await opened();
      const meter: Meter = { organization: 'org_a', project: 'proj_a', keyId: 'key_a', model: 'deepseek-v3', endpoint: 'chat.completions', price: PRICES[0] };
      const usage = { promptTokens: 1, cachedTokens: 0, completionTokens: 0, reasoningTokens: 0 };
      const at = (text: string, change: Partial<Meter> = {}): LedgerEvent => ({ id: `${text}${JSON.stringify(change)}`, kind: 'request', meter: { ...meter, ...change }, atMs: Date.parse(text), usage });
      await applied(ledger, [at('2026-10-31T23:59:59.999Z'), at('2026-11-01T00:00:00Z'), at('2026-11-30T23:59:59.999Z', { keyId: 'key_b' }), at('2026-11-02T00:00:00Z', { project: 'proj_b' })]);
      const budget = { organization: 'org_a', amount: 1n as FemtoUsd, isHard: true, warnPercents: [80, 100], createdAtMs: NOW_MS, archivedAtMs: null };
      await ledger.addBudget({ ...budget, id: 'b1', scope: 'organization', scopeId: 'org_a', period: 'month' });
      await ledger.addBudget({ ...budget, id: 'b2', scope: 'project', scopeId: 'proj_a', period: 'total' });
      await ledger.addBudget({ ...budget, id: 'b3', scope: 'key', scopeId: 'key_b', period: 'month' });
      const { budgets } = await ledger.spendingState(NOW_MS);
      expect(budgets.map(({ budget: { id }, period, spent }) => [id, period, spent / 560_000_000n])).toEqual([
        ['b1', '2026-11', 3n],
        ['b2', 'total', 3n],
        ['b3', '2026-11', 1n],
      ]);
      expect(await ledger.archiveBudget('b1', NOW_MS)).toMatchObject({ id: 'b1', archivedAtMs: NOW_MS });
      expect((await ledger.budgets({ organization: 'org_a', limit: 10 }, NOW_MS)).map(({ budget: { id } }) => id)).toEqual(['b2', 'b3']);
      const reached = { budget: { ...budget, id: 'b2', scope: 'project', scopeId: 'proj_a', period: 'total' }, period: 'total', percent: 80, spent: 1n as FemtoUsd } as const;
      expect([await ledger.markBudget(reached, NOW_MS), await ledger.markBudget(reached, NOW_MS)]).toEqual([true, false]);
      expect(await ledger.archiveBudget('nothing', NOW_MS)).toBeNull();
    });

    test('what is known of a customer is what was put there last', async () => {
      const ledger = await opened();
      expect(await ledger.customer('org_a')).toEqual({ organization: 'org_a', terms: 'postpaid', buyer: null, taxes: [] });
      const customer = { organization: 'org_a', terms: 'prepaid', buyer: { name: 'A' }, taxes: [{ name: 'VAT' }] } as const;
      await ledger.putCustomer({ ...customer, terms: 'postpaid' }, NOW_MS);
      await ledger.putCustomer(customer, NOW_MS);
      expect(await ledger.customer('org_a')).toEqual(customer);
      expect((await ledger.spendingState(NOW_MS)).prepaid).toMatchObject([{ organization: 'org_a', available: 0n }]);
    });
  });
}
