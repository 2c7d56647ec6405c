import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { potName, SharedSpending, type AllowanceMove, type AllowanceMoved, type Allowances, type Budget, type HoldAnswer } from '../../src/billing/index.ts';
import { MeridianError, noLog, type FemtoUsd } from '../../src/core/index.ts';
import { ManualClock } from '../support/manual-clock.ts';

const ADMITTED_AT_MS = Date.parse('2026-11-26T12:00:00Z');
const ALLOWANCE_MS = 60_000;
const PAYER = { organization: 'org_a', project: 'proj_a', keyId: 'key_a' };
const usd = (amount: number | bigint): FemtoUsd => BigInt(amount) as FemtoUsd;
const budget: Budget = { id: 'b1', organization: 'org_a', scope: 'organization', scopeId: 'org_a', period: 'month', amount: usd(1_000), isHard: true, warnPercents: [50], createdAtMs: 0, archivedAtMs: null };

/** The books of pots with `limit` each, as several gateways see them. */
class Books {
  readonly spent = new Map<string, bigint>();
  readonly setAside = new Map<string, Map<string, bigint>>();
  readonly #limit: bigint;
  /** Moves that are done, and not answered: the next ones. */
  unanswered = 0;
  readonly #done = new Map<string, AllowanceMoved>();

  constructor(limit: bigint) {
    this.#limit = limit;
  }

  of(source: string): Allowances {
    return {
      beat: () => Promise.resolve(true),
      move: async (move) => {
        await Promise.resolve();
        const moved = this.#done.get(`${source} ${move.number}`) ?? this.#move(source, move);
        this.#done.set(`${source} ${move.number}`, moved);
        if (this.unanswered === 0) return moved;
        this.unanswered -= 1;
        throw new MeridianError('overloaded');
      },
    };
  }

  /** Everything that is spent, and that anybody may still spend. */
  promised(pot: string): bigint {
    return (this.spent.get(pot) ?? 0n) + [...(this.setAside.get(pot)?.values() ?? [])].reduce((sum, one) => sum + one, 0n);
  }

  /** Books a charge of `source`; what that takes off what it has set aside. */
  book(source: string, pot: string, charge: bigint): bigint {
    this.spent.set(pot, (this.spent.get(pot) ?? 0n) + charge);
    const own = this.setAside.get(pot)?.get(source) ?? 0n;
    const less = charge < own ? charge : own;
    this.setAside.get(pot)?.set(source, own - less);
    return less;
  }

  #move(source: string, { owner, atLeast, giveBack }: AllowanceMove): AllowanceMoved {
    const pot = potName(owner);
    const all = this.setAside.get(pot) ?? new Map<string, bigint>();
    this.setAside.set(pot, all);
    const own = all.get(source) ?? 0n;
    const free = this.#limit - this.promised(pot);
    const added = giveBack === undefined ? (free < atLeast || free <= 0n ? 0n : free / 4n > atLeast ? free / 4n : atLeast) : -(giveBack < own ? giveBack : own);
    all.set(source, own + added);
    const total = [...all.values()].reduce((sum, one) => sum + one, 0n);
    return { added: usd(added), free: usd(free - added), elsewhere: usd(total - own - added) };
  }
}

const POT = 'budget b1 2026-11';

function gatewayAt(books: Books, source: string, clock = new ManualClock()) {
  const short: string[] = [];
  const spentOn: string[] = [];
  const spending = new SharedSpending({
    allowances: books.of(source),
    terms: { prepaid: [], budgets: [budget] },
    allowanceMs: ALLOWANCE_MS,
    clock,
    log: noLog,
    onShort: (pot) => short.push(pot),
    onSpent: ({ id }) => spentOn.push(id),
  });
  const place = (amount: bigint): HoldAnswer | Promise<HoldAnswer> => spending.place({ payer: PAYER, amount: usd(amount), admittedAtMs: ADMITTED_AT_MS, expiresAtMs: clock.now() + 1_000 });
  return { spending, clock, short, spentOn, place };
}

/** Lets all that waits for the books, and none for time, go on. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('what several gateways may spend of one budget', () => {
  const steps = fc.array(
    fc.record({ kind: fc.constantFrom('place', 'place', 'place', 'settle', 'void', 'book', 'give', 'lost answer'), at: fc.nat(2), amount: fc.nat(300), pick: fc.nat(), share: fc.nat(100) }),
    { minLength: 20, maxLength: 80, size: 'max' },
  );

  test('is never overdrawn in sum, whatever they do and whatever answers are lost', async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (list) => {
        const books = new Books(1_000n);
        const gateways = ['g1', 'g2', 'g3'].map((name) => ({ name, ...gatewayAt(books, name), open: [] as Extract<HoldAnswer, { kind: 'held' }>[], unbooked: [] as { id: string; charge: bigint }[] }));
        let requests = 0;
        for (const { kind, at, amount, pick, share } of list) {
          const gateway = gateways[at];
          if (gateway === undefined) continue;
          const one = gateway.open[pick % Math.max(1, gateway.open.length)];
          switch (kind) {
            case 'place': {
              const answer = Promise.resolve(gateway.place(BigInt(amount))).catch(() => null);
              await settled();
              // One that waits for others to give back is refused when its time is over.
              gateway.clock.advance(1_000);
              for (let i = 0; i < 8; i += 1) {
                await settled();
                gateway.clock.advance(100);
              }
              const held = await answer;
              if (held?.kind === 'held') gateway.open.push(held);
              break;
            }
            case 'settle': {
              if (one === undefined) break;
              gateway.open.splice(gateway.open.indexOf(one), 1);
              const charge = (one.hold.amount * BigInt(share)) / 100n;
              const id = `req_${(requests += 1)}`;
              gateway.spending.settle(one.hold, { requestId: id, payer: PAYER, admittedAtMs: ADMITTED_AT_MS, charge: usd(charge) });
              gateway.unbooked.push({ id, charge });
              break;
            }
            case 'void':
              if (one === undefined) break;
              gateway.open.splice(gateway.open.indexOf(one), 1);
              gateway.spending.void(one.hold);
              break;
            case 'book':
              for (const { id, charge } of gateway.unbooked.splice(0)) {
                gateway.spending.booked({ requests: [id], corrections: [], takenOff: [{ pot: POT, amount: usd(books.book(gateway.name, POT, charge)) }] });
              }
              break;
            case 'give':
              await gateway.spending.recall(POT).catch(() => {});
              break;
            default:
              books.unanswered = 1;
          }
          const outstanding = gateways.flatMap(({ open, unbooked }) => [...open.map(({ hold }) => hold.amount as bigint), ...unbooked.map(({ charge }) => charge)]);
          expect(outstanding.reduce((sum, each) => sum + each, 0n) + (books.spent.get(POT) ?? 0n)).toBeLessThanOrEqual(1_000n);
          expect(books.promised(POT)).toBeLessThanOrEqual(1_000n);
        }
        // When all is over and booked, and given back, nothing of the rest is lost.
        books.unanswered = 0;
        for (const gateway of gateways) {
          for (const { hold } of gateway.open) gateway.spending.void(hold);
          for (const { id, charge } of gateway.unbooked) gateway.spending.booked({ requests: [id], corrections: [], takenOff: [{ pot: POT, amount: usd(books.book(gateway.name, POT, charge)) }] });
          await gateway.spending.recall(POT);
          gateway.clock.advance(20_000);
          await gateway.spending.beat();
        }
        expect(books.promised(POT)).toBe(books.spent.get(POT) ?? 0n);
      }),
      { numRuns: 200 },
    );
  });

  test('needs no answer of the books as long as there is enough set aside', async () => {
    const { place } = gatewayAt(new Books(1_000n), 'g1');
    expect(place(10n)).toBeInstanceOf(Promise);
    await settled();
    for (let i = 0; i < 10; i += 1) expect(place(10n)).toMatchObject({ kind: 'held' });
  });

  test('goes on within what is set aside while the books cannot be asked, and no longer than others respect it', async () => {
    const books = new Books(1_000n);
    const { place, clock } = gatewayAt(books, 'g1');
    await place(1n);
    await settled();
    books.unanswered = Infinity;
    expect(await place(50n)).toMatchObject({ kind: 'held' });
    await expect(place(900n)).rejects.toMatchObject({ code: 'overloaded' });
    clock.advance(ALLOWANCE_MS + 1);
    expect(() => place(1n)).toThrow(/cannot be looked up now/);
  });

  test('is given back when another gateway has too little, and that one waits for it', async () => {
    const books = new Books(1_000n);
    const rich = gatewayAt(books, 'g1');
    await rich.place(1n);
    const poor = gatewayAt(books, 'g2');
    const answer = Promise.resolve(poor.place(990n));
    await settled();
    expect(poor.short).toEqual([POT]);
    await rich.spending.recall(POT);
    poor.clock.advance(50);
    expect(await answer).toMatchObject({ kind: 'held' });
    const refused = rich.place(20n);
    for (let i = 0; i < 8; i += 1) {
      await settled();
      rich.clock.advance(50);
    }
    expect(await refused).toMatchObject({ kind: 'refused', why: expect.stringMatching(/budget b1 of your organization for 2026-11/) as string });
  });

  test('that is asked for by many requests at once is asked for once', async () => {
    const books = new Books(10_000n);
    const { place } = gatewayAt(books, 'g1');
    const answers = await Promise.all(Array.from({ length: 50 }, () => Promise.resolve(place(10n))));
    expect(answers.every(({ kind }) => kind === 'held')).toBe(true);
    expect(books.setAside.get(POT)?.get('g1')).toBe(2_500n);
  });

  test('is told where budgets warn of it, by the books and not by one gateway', async () => {
    const { spending, place, spentOn } = gatewayAt(new Books(1_000n), 'g1');
    const answer = await place(600n);
    if (answer.kind !== 'held') throw new Error('it was refused');
    spending.settle(answer.hold, { requestId: 'req_1', payer: PAYER, admittedAtMs: ADMITTED_AT_MS, charge: usd(600) });
    expect(spentOn).toEqual([]);
    spending.booked({ requests: ['req_1'], corrections: [], takenOff: [{ pot: POT, amount: usd(600) }] });
    expect(spentOn).toEqual(['b1']);
  });

  test('follows what other gateways change: budgets that come and go, customers who pay ahead', async () => {
    const books = new Books(1_000n);
    const { spending } = gatewayAt(books, 'g1');
    spending.renew({ prepaid: ['org_b'], budgets: [] });
    expect(spending.bounds(PAYER)).toBe(false);
    expect(spending.bounds({ ...PAYER, organization: 'org_b' })).toBe(true);
    spending.renew({ prepaid: [], budgets: [budget] });
    expect([spending.bounds(PAYER), spending.hasCredit('org_b')]).toEqual([true, false]);
  });
});
