import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { BillingDesk, openSqliteLedger, LocalSpending, type Customer } from '../../src/billing/index.ts';
import { InTurn, type FemtoUsd } from '../../src/core/index.ts';
import { ManualClock } from '../support/manual-clock.ts';

const ORG = 'org_a';
const usd = (amount: number): FemtoUsd => BigInt(amount) as FemtoUsd;
const CREDIT = { organization: ORG, kind: 'paid', amount: usd(1_000), note: '' } as const;
const BUDGET = { organization: ORG, scope: 'organization', scopeId: ORG, period: 'month', amount: usd(500), isHard: true, warnPercents: [] } as const;

/** A desk at real books. `books.failing`: how many looks at the books from now on succeed before one fails. */
async function open() {
  const directory = mkdtempSync(join(tmpdir(), 'meridian-desk-'));
  const ledger = openSqliteLedger(join(directory, 'ledger.sqlite'), { sealKey: randomBytes(32) });
  onTestFinished(async () => {
    await ledger.close();
    rmSync(directory, { recursive: true });
  });
  const books = { failing: Infinity };
  const catchUp = async (): Promise<void> => {
    if (books.failing === 0) throw new Error('the books are closed');
    books.failing -= 1;
  };
  const clock = new ManualClock();
  const spending = new LocalSpending(await ledger.spendingState(0), () => {});
  const desk = new BillingDesk({ ledger, spending, feed: { catchUp }, clock, turns: new InTurn() });
  const customer = await ledger.customer(ORG);
  const put = (terms: Customer['terms']): Promise<Customer> => desk.putCustomer({ ...customer, terms });
  return { desk, spending, ledger, books, put };
}

const left = (spending: LocalSpending): FemtoUsd[] => spending.pots().map((pot) => pot.left);

test.each([0, 1])('a customer who could not be made to pay ahead, at look %i, has no pot with plenty in it, and is one at the next try', async (failing) => {
  const { desk, spending, books, put } = await open();
  await desk.addCredit(CREDIT);
  books.failing = failing;
  await expect(put('prepaid')).rejects.toThrow('the books are closed');
  expect(spending.pots()).toEqual([]);
  books.failing = Infinity;
  await put('prepaid');
  expect(left(spending)).toEqual([1_000n]);
});

test('credit and terms back and forth may come all at once: what may be spent is what the books say', async () => {
  const { desk, spending, put } = await open();
  await Promise.all([desk.addCredit(CREDIT), put('prepaid'), desk.addCredit(CREDIT), put('postpaid'), put('prepaid'), desk.addCredit(CREDIT), put('prepaid')]);
  expect((await desk.balance(ORG)).available).toBe(3_000n);
  expect(left(spending)).toEqual([3_000n]);
});

test.each([0, 1])('a budget that could not be read, at look %i, is not there, and is there once after the next try', async (failing) => {
  const { desk, spending, ledger, books } = await open();
  books.failing = failing;
  await expect(desk.addBudget(BUDGET)).rejects.toThrow('the books are closed');
  expect(spending.pots()).toEqual([]);
  books.failing = Infinity;
  const { budget } = await desk.addBudget(BUDGET);
  const states = await ledger.budgets({ limit: 10 }, 0);
  expect(states.filter((state) => state.budget.archivedAtMs === null).map((state) => state.budget.id)).toEqual([budget.id]);
  expect(left(spending)).toEqual([500n]);
});
