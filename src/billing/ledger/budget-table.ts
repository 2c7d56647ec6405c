import type { Kysely, Selectable } from 'kysely';
import { MeridianError, sumOf, type FemtoUsd } from '../../core/index.ts';
import { chargeTotal } from '../prices/charge.ts';
import type { BudgetReached } from '../holds/spending.ts';
import { budgetWebhook } from '../webhooks/webhook-payloads.ts';
import type { Budget, BudgetScope, BudgetState } from './billing-account.ts';
import type { LedgerTables } from './ledger-tables.ts';
import { monthStartMs, nextMonth } from './month.ts';
import { tell } from './told.ts';
import { chargeOfSums, sumsOf } from './token-sums.ts';

export const COLUMN_OF = { organization: 'organization', project: 'project', key: 'key_id' } as const satisfies Record<BudgetScope, string>;

export async function insertBudget(db: Kysely<LedgerTables>, budget: Budget): Promise<void> {
  await db
    .insertInto('budgets')
    .values({
      id: budget.id,
      organization: budget.organization,
      scope: budget.scope,
      scope_id: budget.scopeId,
      period: budget.period,
      amount: String(budget.amount),
      is_hard: budget.isHard ? 1 : 0,
      warn_percents: JSON.stringify(budget.warnPercents),
      created_at_ms: budget.createdAtMs,
      archived_at_ms: budget.archivedAtMs,
    })
    .execute();
}

/** From now on it bounds nothing. Null when there is none. */
export async function archiveBudget(db: Kysely<LedgerTables>, id: string, nowMs: number): Promise<Budget | null> {
  await db.updateTable('budgets').set({ archived_at_ms: nowMs }).where('id', '=', id).where('archived_at_ms', 'is', null).execute();
  return findBudget(db, id);
}

export async function findBudget(db: Kysely<LedgerTables>, id: string): Promise<Budget | null> {
  const row = await db.selectFrom('budgets').selectAll().where('id', '=', id).executeTakeFirst();
  return row === undefined ? null : budgetOf(row);
}

/** In the order they were made; those that are not archived. Throws `invalid_value` when `after` is none. */
export async function listBudgets(
  db: Kysely<LedgerTables>,
  { organization, after, limit }: { readonly organization?: string | undefined; readonly after?: string | undefined; readonly limit: number },
): Promise<readonly Budget[]> {
  let rows = db.selectFrom('budgets').selectAll().where('archived_at_ms', 'is', null);
  if (organization !== undefined) rows = rows.where('organization', '=', organization);
  if (after !== undefined) {
    const row = await db.selectFrom('budgets').select('seq').where('id', '=', after).executeTakeFirst();
    if (row === undefined) throw new MeridianError('invalid_value', { param: 'after', message: `There is no budget ${after}.` });
    rows = rows.where('seq', '>', row.seq);
  }
  return (await rows.orderBy('seq').limit(limit).execute()).map(budgetOf);
}

/** What was spent of it by the ledger, in `month` or in all. */
export async function budgetState(db: Kysely<LedgerTables>, budget: Budget, month: string): Promise<BudgetState> {
  const isMonthly = budget.period === 'month';
  let rows = db
    .selectFrom('meters')
    .innerJoin('rollups', 'rollups.meter', 'meters.id')
    .where('rollups.grain', '=', 'day')
    .where('meters.organization', '=', budget.organization)
    .where(`meters.${COLUMN_OF[budget.scope]}`, '=', budget.scopeId);
  if (isMonthly) rows = rows.where('rollups.start_ms', '>=', monthStartMs(month)).where('rollups.start_ms', '<', monthStartMs(nextMonth(month)));
  const sums = await rows
    .select(['meters.price_input', 'meters.price_input_cached', 'meters.price_output'])
    .select(sumsOf('rollups'))
    .groupBy('meters.id')
    .execute();
  return { budget, period: isMonthly ? month : 'total', spent: sumOf(sums.map((row) => chargeTotal(chargeOfSums(row, row)))) };
}

/** Notes how much of a budget is reached, and has it told; false when that was noted before. Within the caller's transaction. */
export async function markBudget(db: Kysely<LedgerTables>, reached: BudgetReached, nowMs: number): Promise<boolean> {
  const { budget, period, percent } = reached;
  const made = await db
    .insertInto('budget_marks')
    .values({ budget: budget.id, period, percent })
    .onConflict((conflict) => conflict.columns(['budget', 'period', 'percent']).doNothing())
    .returning('percent')
    .executeTakeFirst();
  if (made === undefined) return false;
  await tell(db, budgetWebhook(reached), nowMs);
  return true;
}

function budgetOf(row: Selectable<LedgerTables['budgets']>): Budget {
  return {
    id: row.id,
    organization: row.organization,
    scope: row.scope as BudgetScope,
    scopeId: row.scope_id,
    period: row.period === 'month' ? 'month' : 'total',
    amount: BigInt(row.amount) as FemtoUsd,
    isHard: row.is_hard === 1,
    warnPercents: JSON.parse(row.warn_percents) as number[],
    createdAtMs: row.created_at_ms,
    archivedAtMs: row.archived_at_ms,
  };
}
