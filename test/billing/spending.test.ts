import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LocalSpending, type Budget, type BudgetReached, type Hold, type SpendingState } from '../../src/billing/index.ts';
import type { FemtoUsd } from '../../src/core/index.ts';

const ADMITTED_AT_MS = Date.parse('2026-11-26T12:00:00Z');
const PAYER = { organization: 'org_a', project: 'proj_a', keyId: 'key_a' };
const usd = (amount: number | bigint): FemtoUsd => BigInt(amount) as FemtoUsd;

function budgetOf(id: string, amount: bigint, change: Partial<Budget> = {}): Budget {
  return { id, organization: 'org_a', scope: 'organization', scopeId: 'org_a', period: 'month', amount: usd(amount), isHard: true, warnPercents: [50, 100], createdAtMs: 0, archivedAtMs: null, ...change };
}

function spendingOf(state: Partial<SpendingState>): { spending: LocalSpending; reached: BudgetReached[] } {
  const reached: BudgetReached[] = [];
  return { spending: new LocalSpending({ nowMs: ADMITTED_AT_MS, prepaid: [], budgets: [], ...state }, (one) => reached.push(one)), reached };
}

function hold(spending: LocalSpending, amount: bigint, payer = PAYER, admittedAtMs = ADMITTED_AT_MS): Hold | null {
  const answer = spending.place({ payer, amount: usd(amount), admittedAtMs, expiresAtMs: 100 });
  return answer.kind === 'held' ? answer.hold : null;
}

function held(spending: LocalSpending, amount: bigint, payer = PAYER, admittedAtMs = ADMITTED_AT_MS): Hold {
  const got = hold(spending, amount, payer, admittedAtMs);
  if (got === null) throw new Error('it was refused');
  return got;
}

let requests = 0;

/** Ends a hold with a charge; resolves to the id of its request. */
function settle(spending: LocalSpending, one: Hold, charge: number | bigint, admittedAtMs = ADMITTED_AT_MS, payer = PAYER): string {
  const requestId = `req_${(requests += 1)}`;
  spending.settle(one, { requestId, payer, admittedAtMs, charge: usd(charge) });
  return requestId;
}

interface Step {
  readonly kind: 'place' | 'settle' | 'void' | 'expire';
  readonly amount: number;
  readonly pick: number;
  readonly payer: typeof PAYER;
}

const steps = fc.array(
  fc.record({
    kind: fc.constantFrom<Step['kind']>('place', 'place', 'place', 'settle', 'void', 'expire'),
    amount: fc.nat(60),
    pick: fc.nat(),
    payer: fc.constantFrom(PAYER, { ...PAYER, keyId: 'key_b' }, { ...PAYER, project: 'proj_b', keyId: 'key_c' }),
  }),
  { maxLength: 80 },
);

describe('what may be spent', () => {
  test('is never overdrawn in any pot by any order of events, and each hold ends exactly once', () => {
    fc.assert(
      fc.property(steps, (list) => {
        const { spending } = spendingOf({
          prepaid: [{ organization: 'org_a', available: usd(300) }],
          budgets: [
            { budget: budgetOf('b1', 250n), period: '2026-11', spent: usd(20) },
            { budget: budgetOf('b2', 150n, { scope: 'key', scopeId: 'key_b', period: 'total' }), period: 'total', spent: usd(0) },
            { budget: budgetOf('b3', 100n, { scope: 'project', scopeId: 'proj_b', isHard: false }), period: '2026-11', spent: usd(0) },
          ],
        });
        const open: Hold[] = [];
        const payers = new Map<Hold, typeof PAYER>();
        let ended = 0;
        let placed = 0;
        for (const { kind, amount, pick, payer } of list) {
          const one = open.length === 0 ? undefined : open[pick % open.length];
          if (kind === 'place') {
            const got = hold(spending, BigInt(amount), payer);
            if (got !== null) open.push(got);
            if (got !== null) payers.set(got, payer);
            placed += got === null ? 0 : 1;
          } else if (one !== undefined && kind !== 'expire') {
            open.splice(open.indexOf(one), 1);
            // An engine that keeps to max_tokens charges no more than was held.
            if (kind === 'settle') settle(spending, one, BigInt(pick) % (one.amount + 1n), ADMITTED_AT_MS, payers.get(one));
            else spending.void(one);
            ended += 1;
            expect(() => spending.void(one)).toThrow(/was voided/);
            expect(() => settle(spending, one, 0)).toThrow(/was settled/);
          }
          for (const pot of spending.pots()) {
            expect(pot.held).toBe(open.filter(({ pots }) => pots.includes(pot)).reduce((sum, { amount: part }) => sum + part, 0n));
            if (pot.owner.kind === 'credit' || pot.owner.budget.isHard) expect(pot.left).toBeGreaterThanOrEqual(0n);
          }
        }
        expect(spending.openHolds).toBe(open.length);
        expect(spending.expire(99)).toBe(0);
        expect(spending.expire(100)).toBe(open.length);
        expect(placed).toBe(ended + open.length);
        expect(spending.pots().every(({ held: left }) => left === 0n)).toBe(true);
      }),
    );
  });

  test('lets in exactly as many of a thousand that come at once as there is credit for', async () => {
    const { spending } = spendingOf({ prepaid: [{ organization: 'org_a', available: usd(4_567) }] });
    const admitted = await Promise.all(Array.from({ length: 1_000 }, async () => Promise.resolve(hold(spending, 10n))));
    expect(admitted.filter((one) => one !== null)).toHaveLength(456);
  });

  test('a charge that comes after its hold expired is spent, and released once', () => {
    const { spending } = spendingOf({ prepaid: [{ organization: 'org_a', available: usd(100) }] });
    const one = held(spending, 60n);
    expect(spending.expire(100)).toBe(1);
    settle(spending, one, 40);
    const [pot] = spending.pots();
    expect([pot?.held, pot?.spent, pot?.left]).toEqual([0n, 40n, 60n]);
    expect(() => settle(spending, one, 40)).toThrow(/was/);
  });

  test('what was refused says of what there is too little, and holds nothing', () => {
    const { spending } = spendingOf({
      prepaid: [{ organization: 'org_a', available: usd(100) }],
      budgets: [{ budget: budgetOf('b1', 50n), period: '2026-11', spent: usd(45) }],
    });
    const answer = spending.place({ payer: PAYER, amount: usd(6), admittedAtMs: ADMITTED_AT_MS, expiresAtMs: 100 });
    expect(answer).toMatchObject({ kind: 'refused', why: expect.stringContaining('the budget b1 of your organization for 2026-11 has $0.000000000000005 left') });
    expect(spending.pots().map(({ held: amount }) => amount)).toEqual([0n, 0n]);
  });

  test('soft budgets only warn, and each mark is told once', () => {
    const { spending, reached } = spendingOf({ budgets: [{ budget: budgetOf('b1', 100n, { isHard: false, warnPercents: [50, 80, 100] }), period: '2026-11', spent: usd(55) }] });
    for (const charge of [20, 10, 10, 30]) settle(spending, held(spending, 1_000n), charge);
    expect(reached.map(({ percent, spent }) => [percent, spent])).toEqual([
      [50, 55n],
      [80, 85n],
      [100, 125n],
    ]);
  });

  test('a new month begins with nothing spent, and what was admitted in the old one counts there', () => {
    const { spending } = spendingOf({ budgets: [{ budget: budgetOf('b1', 100n), period: '2026-11', spent: usd(90) }] });
    const december = Date.parse('2026-12-01T00:00:00Z');
    expect(hold(spending, 20n)).toBeNull();
    const late = held(spending, 10n);
    expect(hold(spending, 100n, PAYER, december)).not.toBeNull();
    expect(hold(spending, 1n, PAYER, december)).toBeNull();
    settle(spending, late, 10);
    expect(spending.pots().map(({ spent, owner }) => [owner.kind === 'budget' ? owner.period : '', spent])).toEqual([
      ['2026-11', 100n],
      ['2026-12', 0n],
    ]);
  });

  test('later truth and more credit count at once; nobody pays from another organization\'s pot', () => {
    const { spending } = spendingOf({ prepaid: [{ organization: 'org_a', available: usd(10) }] });
    spending.booked({ requests: [], corrections: [{ payer: PAYER, admittedAtMs: ADMITTED_AT_MS, difference: usd(8) }] });
    expect(hold(spending, 5n)).toBeNull();
    spending.raiseCredit('org_a', usd(3));
    expect(hold(spending, 5n)).not.toBeNull();
    expect(hold(spending, 1_000n, { ...PAYER, organization: 'org_b' })).not.toBeNull();
    spending.openBudget(budgetOf('b9', 1n, { scope: 'key', scopeId: 'key_a', organization: 'org_b' }), ADMITTED_AT_MS);
    expect(hold(spending, 0n)).not.toBeNull();
    spending.closeCredit('org_a');
    expect(hold(spending, 1_000n)).not.toBeNull();
  });

  test('a budget that is taken away bounds nothing any more', () => {
    const budget = budgetOf('b1', 1n);
    const { spending } = spendingOf({ budgets: [{ budget, period: '2026-11', spent: usd(1) }] });
    expect(hold(spending, 1n)).toBeNull();
    spending.removeBudget(budget);
    expect(hold(spending, 1n)).not.toBeNull();
    expect(spending.pots()).toEqual([]);
  });

  test('a pot that comes while a request runs takes its charge, and gives back no hold it never had', () => {
    const { spending } = spendingOf({});
    const one = held(spending, 30n);
    spending.openCredit('org_a');
    spending.creditOpened('org_a', usd(100));
    settle(spending, one, 20);
    spending.openBudget(budgetOf('b1', 50n), ADMITTED_AT_MS);
    spending.budgetOpened({ budget: budgetOf('b1', 50n), period: '2026-11', spent: usd(20) });
    expect(spending.pots().map(({ held: open, left }) => [open, left])).toEqual([[0n, 80n], [0n, 30n]]);
  });

  test('what is charged and corrected while the books of a pot are read counts once, whether they have it already or not', () => {
    fc.assert(
      fc.property(fc.array(fc.record({ charge: fc.nat(50), isBooked: fc.boolean(), correction: fc.integer({ min: -20, max: 20 }) })), (list) => {
        const { spending } = spendingOf({});
        spending.openCredit('org_a');
        spending.openBudget(budgetOf('b1', 5_000n), ADMITTED_AT_MS);
        let inBooks = 7;
        let charged = 7;
        for (const { charge, isBooked, correction } of list) {
          const request = settle(spending, held(spending, 50n), charge);
          charged += charge;
          if (!isBooked) continue;
          spending.booked({ requests: [request, 'req_of_another'], corrections: [{ payer: PAYER, admittedAtMs: ADMITTED_AT_MS, difference: usd(correction) }] });
          charged += correction;
          inBooks += charge + correction;
        }
        spending.creditOpened('org_a', usd(9_000 - inBooks));
        spending.budgetOpened({ budget: budgetOf('b1', 5_000n), period: '2026-11', spent: usd(inBooks) });
        expect(spending.pots().map(({ left }) => left)).toEqual([BigInt(9_000 - charged), BigInt(5_000 - charged)]);
        spending.booked({ requests: [], corrections: [{ payer: PAYER, admittedAtMs: ADMITTED_AT_MS, difference: usd(3) }] });
        expect(spending.pots().map(({ left }) => left)).toEqual([BigInt(9_000 - charged - 3), BigInt(5_000 - charged - 3)]);
      }),
    );
  });
});
