import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { openPostgresLedger, PostgresAllowances, type AllowanceMove, type Budget, type LedgerEvent } from '../../src/billing/index.ts';
import { noLog, type FemtoUsd } from '../../src/core/index.ts';
import { openPostgres } from '../../src/store/index.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { hasPostgres, PostgresServer } from '../support/postgres-server.ts';

const NOW_MS = Date.parse('2026-11-26T12:00:00Z');
const ALLOWANCE_MS = 60_000;
const usd = (amount: number | bigint): FemtoUsd => BigInt(amount) as FemtoUsd;
const budget: Budget = { id: 'budget_1', organization: 'org_a', scope: 'key', scopeId: 'key_a', period: 'month', amount: usd(1_000_000), isHard: true, warnPercents: [], createdAtMs: 0, archivedAtMs: null };
const owner = { kind: 'budget' as const, budget, period: '2026-11' };
const credit = { kind: 'credit' as const, organization: 'org_a' };
const PRICE = { row: 'p', tier: 'standard' as const, window: null, input: 1, inputCached: 1, output: 1 };

/** It costs as much as it has tokens. */
function event(id: string, tokens: number, keyId = 'key_a'): LedgerEvent {
  return { id, kind: 'request', meter: { organization: 'org_a', project: 'p', keyId, model: 'm', endpoint: 'chat.completions', price: PRICE }, atMs: NOW_MS, usage: { promptTokens: tokens, cachedTokens: 0, completionTokens: 0, reasoningTokens: 0 } };
}

describe.skipIf(!hasPostgres)('what gateways set aside in PostgreSQL', () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await PostgresServer.start();
  });
  afterAll(() => server.close());

  async function opened(sources: readonly string[]) {
    const url = await server.database();
    const ledger = await openPostgresLedger({ url, sealKey: Buffer.alloc(32) });
    await ledger.addBudget(budget);
    await ledger.putCustomer({ organization: 'org_a', terms: 'prepaid', buyer: null, taxes: [] }, NOW_MS);
    await ledger.addCredit({ id: 'credit_1', organization: 'org_a', kind: 'paid', amount: usd(500_000), note: '', createdAtMs: NOW_MS });
    const db = await openPostgres<unknown>({ url, component: 'gateways', migrations: [], connectionsMax: 8 });
    const clocks = sources.map(() => new ManualClock());
    const all = await Promise.all(sources.map((source, i) => PostgresAllowances.open({ db, source, allowanceMs: ALLOWANCE_MS, isAllBooked: () => true, clock: clocks[i] as ManualClock, log: noLog })));
    onTestFinished(async () => {
      await Promise.all(all.map((one) => one.close()));
      await db.destroy();
      await ledger.close();
    });
    let numbers = 0;
    const move = (i: number, change: Partial<AllowanceMove>) => (all[i] as PostgresAllowances).move({ owner, number: (numbers += 1), atLeast: usd(0), ...change });
    return { url, ledger, all, clocks, move };
  }

  test('is together with what is spent at most what there is, however many move and book at once', async () => {
    const { url, ledger, move } = await opened(['a', 'b', 'c', 'd']);
    const taken = [0n, 0n, 0n, 0n];
    await Promise.all(
      taken.map(async (_, at) => {
        for (let i = 0; i < 20; i += 1) {
          const { added } = await move(at, { atLeast: usd(20_000) });
          taken[at] = (taken[at] ?? 0n) + added;
          if (i % 3 === 0) await ledger.apply({ source: 'abcd'[at] ?? '', position: i + 1, events: [event(`req_${at} ${i}`, 9_000)], nowMs: NOW_MS });
        }
      }),
    );
    const [row] = await server.query(url, "SELECT coalesce(sum(amount), 0)::text AS amount FROM allowances WHERE pot = 'budget budget_1 2026-11'");
    const state = await ledger.budget('budget_1', NOW_MS);
    expect(BigInt(String(row?.['amount'])) + (state?.spent ?? 0n)).toBeLessThanOrEqual(1_000_000n);
    expect(taken.reduce((sum, one) => sum + one, 0n)).toBeGreaterThan(900_000n);
    expect(await move(0, { atLeast: usd(200_000) })).toMatchObject({ added: 0n });
  });

  test('is less by what is booked of the gateway that set it aside, and of no other; each pot that pays is', async () => {
    const { ledger, move } = await opened(['a', 'b']);
    const [own, others, ownCredit] = [await move(0, { atLeast: usd(50_000) }), await move(1, { atLeast: usd(50_000) }), await move(0, { owner: credit, atLeast: usd(70_000) })];
    const { takenOff } = await ledger.apply({ source: 'a', position: 1, events: [event('req_1', 10_000), event('req_2', 5_000, 'key_other')], nowMs: NOW_MS });
    expect(new Map(takenOff.map(({ pot, amount }) => [pot, amount]))).toEqual(new Map([['budget budget_1 2026-11', 10_000n], ['credit org_a', 15_000n]]));
    // Once, however often it is brought.
    expect((await ledger.apply({ source: 'a', position: 2, events: [event('req_1', 10_000)], nowMs: NOW_MS })).takenOff).toEqual([]);
    const back = await move(0, { giveBack: usd(10n ** 12n) });
    expect(back).toMatchObject({ added: usd(10_000n - own.added), elsewhere: others.added, free: usd(1_000_000n - 10_000n - others.added) });
    expect(await move(0, { owner: credit, giveBack: usd(10n ** 12n) })).toMatchObject({ added: usd(15_000n - ownCredit.added), free: usd(500_000n - 15_000n) });
  });

  test('changes once by a move that is asked for again, and not at all by one that arrives after a later one', async () => {
    const { move } = await opened(['a']);
    const first = await move(0, { number: 100, atLeast: usd(10_000) });
    expect(await move(0, { number: 100, atLeast: usd(10_000) })).toEqual(first);
    await move(0, { number: 101, giveBack: usd(5_000) });
    await expect(move(0, { number: 100, atLeast: usd(10_000) })).rejects.toMatchObject({ code: 'conflict' });
    expect((await move(0, { number: 102, giveBack: usd(10n ** 12n) })).added).toBe(usd(5_000n - first.added));
  });

  test('is free again when its gateway was silent for twice its time, and that one learns of it', async () => {
    const { all, clocks, move } = await opened(['a', 'b']);
    const { added } = await move(0, { atLeast: usd(100_000) });
    for (const one of all) expect(await one.beat()).toBe(true);
    clocks[1]?.advance(2 * ALLOWANCE_MS);
    expect(await all[1]?.beat()).toBe(true);
    expect((await move(1, {})).elsewhere).toBe(added);
    clocks[1]?.advance(1);
    await all[1]?.beat();
    expect((await move(1, {})).elsewhere).toBe(0n);
    await expect(move(0, {})).rejects.toMatchObject({ code: 'overloaded' });
    expect(await all[0]?.beat()).toBe(false);
    expect(await move(0, {})).toMatchObject({ elsewhere: expect.any(BigInt) as bigint });
  });

  test('stays its own while it is heard, and while those who would judge hear nothing themselves', async () => {
    const { all, clocks, move } = await opened(['a', 'b']);
    await move(0, { atLeast: usd(100_000) });
    for (let i = 0; i < 5; i += 1) {
      clocks[1]?.advance(2 * ALLOWANCE_MS);
      await all[0]?.beat();
      await all[1]?.beat();
    }
    await server.stop('SIGQUIT');
    clocks[1]?.advance(3 * ALLOWANCE_MS);
    await expect(all[1]?.beat()).rejects.toThrow(/ECONNREFUSED|terminat/);
    await server.up();
    await all[1]?.beat();
    expect((await move(1, {})).elsewhere).toBeGreaterThan(0n);
  });
});
