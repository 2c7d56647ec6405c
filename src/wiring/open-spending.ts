import { LocalSpending, PostgresAllowances, SharedSpending, type Budget, type LedgerService, type Spending } from '../billing/index.ts';
import type { Clock, Logger } from '../core/index.ts';
import { recallFrom } from './open-redis-parts.ts';
import type { Shared } from './open-shared.ts';
import type { Teardown } from './teardown.ts';

const EXPIRE_MS = 1_000;

interface SpendingAt {
  readonly ledger: LedgerService;
  /** Name of the journal in the ledger. */
  readonly source: string;
  readonly shared: Shared | null;
  /** The books have all that was charged here. */
  readonly isAllBooked: () => boolean;
  readonly clock: Clock;
  readonly log: Logger;
}

/** What may be spent, of a gateway alone or of one among several. The ledger must have all that the journal has. */
export async function openSpending(at: SpendingAt, teardown: Teardown): Promise<Spending> {
  const { ledger, shared, clock } = at;
  const spending = shared === null ? new LocalSpending(await ledger.spendingState(clock.wallMs()), (reached) => void mark(at, reached)) : await openSharedSpending(at, shared, teardown);
  teardown.add({ close: clock.every(EXPIRE_MS, () => void spending.expire(clock.now())) });

  return spending;
}

async function openSharedSpending(at: SpendingAt, { db, sharing, changes, redisParts }: Shared, teardown: Teardown): Promise<SharedSpending> {
  const { ledger, source, isAllBooked, clock, log } = at;
  const { allowanceMs, beatMs } = sharing;
  const allowances = teardown.add(await PostgresAllowances.open({ db, source, allowanceMs, isAllBooked, clock, log }));
  const spending = new SharedSpending({
    allowances,
    terms: await ledger.spendingTerms(),
    allowanceMs,
    clock,
    log,
    onShort: (pot) => recallFrom(redisParts, pot),
    onSpent: (budget) => void tellReached(at, budget),
  });
  redisParts?.onRecall((pot) => void spending.recall(pot).catch((error: unknown) => log.warn({ pot, error: String(error) }, 'what another gateway needs of a budget could not be given back')));
  changes.on('spending', async () => spending.renew(await ledger.spendingTerms()));
  teardown.add({ close: clock.every(beatMs, () => void spending.beat().catch((error: unknown) => log.warn({ error: String(error) }, 'nobody hears that this gateway is there: PostgreSQL does not answer'))) });
  return spending;
}

type Reached = Parameters<LedgerService['markBudget']>[0];

async function mark({ ledger, clock, log }: SpendingAt, reached: Reached): Promise<void> {
  try {
    await ledger.markBudget(reached, clock.wallMs());
  } catch (error) {
    log.error({ budget: reached.budget.id, error: String(error) }, 'it could not be noted that a budget is reached');
  }
}

/** What of it is reached by the books, to which all gateways bring what was spent; each mark is told once. */
async function tellReached(at: SpendingAt, budget: Budget): Promise<void> {
  const { ledger, clock, log } = at;
  try {
    const state = await ledger.budget(budget.id, clock.wallMs());
    if (state === null) return;
    const { period, spent } = state;
    for (const percent of budget.warnPercents) if (spent * 100n >= budget.amount * BigInt(percent)) await mark(at, { budget, period, percent, spent });
  } catch (error) {
    log.warn({ budget: budget.id, error: String(error) }, 'how much of a budget is spent could not be looked up');
  }
}
