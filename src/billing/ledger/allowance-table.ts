import { sql, type Kysely } from 'kysely';
import { MeridianError, opposite, sumOf, type FemtoUsd } from '../../core/index.ts';
import { oneAtATime } from '../../store/index.ts';
import type { AllowanceMove, AllowanceMoved } from '../holds/allowances.ts';
import { potName, type PotOwner } from '../holds/pot.ts';
import { chargeOf, chargeTotal } from '../prices/charge.ts';
import type { AllowanceTables } from './allowance-schema.ts';
import { COLUMN_OF } from './budget-table.ts';
import type { LedgerEvent } from './ledger-event.ts';
import type { LedgerTables } from './ledger-tables.ts';
import { monthOf, monthStartMs, nextMonth } from './month.ts';

type Tables = LedgerTables & AllowanceTables;

/** What was taken off an allowance when charges were booked. */
export interface TakenOff {
  readonly pot: string;
  readonly amount: FemtoUsd;
}

/** A move takes such a part of what is free, or what it needs: so several gateways share a small rest. */
const PORTION = 8n;

/** Begins with nothing set aside, whatever it had in an earlier life. */
export async function becomeHolder(db: Kysely<AllowanceTables>, source: string): Promise<void> {
  await db.transaction().execute(async (within) => {
    await within.deleteFrom('allowance_holders').where('source', '=', source).execute();
    await within.insertInto('allowance_holders').values({ source, beat: 1 }).execute();
  });
}

/** Is one again after it was taken for gone; nothing is set aside. */
export async function becomeHolderAgain(db: Kysely<AllowanceTables>, source: string): Promise<void> {
  await db.insertInto('allowance_holders').values({ source, beat: 1 }).onConflict((conflict) => conflict.doNothing()).execute();
}

/** Whoever it was, it has nothing set aside any more. */
export async function releaseHolder(db: Kysely<AllowanceTables>, source: string): Promise<void> {
  await db.deleteFrom('allowance_holders').where('source', '=', source).execute();
}

/** False when it is none any more. */
export async function beatHolder(db: Kysely<AllowanceTables>, source: string): Promise<boolean> {
  const row = await db.updateTable('allowance_holders').set((eb) => ({ beat: eb('beat', '+', 1) })).where('source', '=', source).returning('beat').executeTakeFirst();
  return row !== undefined;
}

/**
 * Sets more aside for `source`, or less. Of all who want something of one pot, one at a time looks what is free: what is spent and
 * what all have set aside is read in one statement, and a booking changes both in one transaction, so neither is seen without the other.
 */
export function moveAllowance(db: Kysely<Tables>, source: string, { owner, number, atLeast, giveBack }: AllowanceMove): Promise<AllowanceMoved> {
  const pot = potName(owner);
  return db.transaction().execute(async (within) => {
    await oneAtATime(within, `pot ${pot}`);
    const holder = await within.selectFrom('allowance_holders').select('source').where('source', '=', source).forShare().executeTakeFirst();
    if (holder === undefined) throw new MeridianError('overloaded', { message: 'Nothing was heard of this gateway for long; it begins anew shortly.' });
    const own = await within.selectFrom('allowances').select(['amount', 'last_move', 'last_added']).where('pot', '=', pot).where('source', '=', source).forUpdate().executeTakeFirst();
    const { left, setAside } = await standing(within, owner, pot);
    const amount = BigInt(own?.amount ?? 0);
    const elsewhere = (setAside - amount) as FemtoUsd;
    const free = (left - setAside) as FemtoUsd;
    // No answer came the last time, but it was done.
    if (own?.last_move === number) return { added: BigInt(own.last_added) as FemtoUsd, free, elsewhere };
    if (own !== undefined && own.last_move > number) throw new MeridianError('conflict', { message: 'This was asked for before something else that is done already.' });
    const added = giveBack === undefined ? portionOf(free, atLeast) : opposite(giveBack < amount ? giveBack : (amount as FemtoUsd));
    const values = { amount: String(amount + added), last_move: number, last_added: String(added) };
    await within
      .insertInto('allowances')
      .values({ pot, source, ...values })
      .onConflict((conflict) => conflict.columns(['pot', 'source']).doUpdateSet(values))
      .execute();
    return { added, free: (free - added) as FemtoUsd, elsewhere };
  });
}

/** Takes what events cost off what their journal's gateway had set aside for it. Within the transaction that books them. */
export async function takeOffAllowances(db: Kysely<Tables>, source: string, events: readonly LedgerEvent[]): Promise<readonly TakenOff[]> {
  const charged = await chargesByPot(db, events);
  if (charged.size === 0) return [];
  const rows = await db.selectFrom('allowances').select(['pot', 'amount']).where('source', '=', source).where('pot', 'in', [...charged.keys()]).orderBy('pot').forUpdate().execute();
  const taken: TakenOff[] = [];
  for (const { pot, amount } of rows) {
    const charge = charged.get(pot) ?? sumOf([]);
    const less = charge < BigInt(amount) ? charge : (BigInt(amount) as FemtoUsd);
    await db.updateTable('allowances').set({ amount: String(BigInt(amount) - less) }).where('source', '=', source).where('pot', '=', pot).execute();
    taken.push({ pot, amount: less });
  }
  return taken;
}

/** What each pot that bounds its payer pays of these events. */
async function chargesByPot(db: Kysely<Tables>, events: readonly LedgerEvent[]): Promise<Map<string, FemtoUsd>> {
  const organizations = [...new Set(events.map(({ meter }) => meter.organization))];
  const charged = new Map<string, FemtoUsd>();
  if (organizations.length === 0) return charged;
  const prepaid = new Set((await db.selectFrom('customers').select('organization').where('organization', 'in', organizations).where('terms', '=', 'prepaid').execute()).map(({ organization }) => organization));
  const budgets = await db.selectFrom('budgets').select(['id', 'organization', 'scope', 'scope_id', 'period']).where('organization', 'in', organizations).where('archived_at_ms', 'is', null).execute();
  const add = (pot: string, charge: FemtoUsd): void => {
    charged.set(pot, sumOf([charged.get(pot) ?? sumOf([]), charge]));
  };
  for (const { meter, atMs, usage } of events) {
    const charge = chargeTotal(chargeOf(usage, meter.price));
    if (prepaid.has(meter.organization)) add(`credit ${meter.organization}`, charge);
    for (const { id, organization, scope, scope_id: scopeId, period } of budgets) {
      const isOf = organization === meter.organization && { organization: meter.organization, project: meter.project, key: meter.keyId }[scope] === scopeId;
      if (isOf) add(`budget ${id} ${period === 'month' ? monthOf(atMs) : 'total'}`, charge);
    }
  }
  return charged;
}

function portionOf(free: FemtoUsd, atLeast: FemtoUsd): FemtoUsd {
  if (free <= 0n || free < atLeast) return sumOf([]);
  const portion = free / PORTION;
  return (portion > atLeast ? portion : atLeast) as FemtoUsd;
}

/** What there is of a pot by the books, and what all have set aside of it, at one instant. */
async function standing(db: Kysely<Tables>, owner: PotOwner, pot: string): Promise<{ left: FemtoUsd; setAside: FemtoUsd }> {
  const left = owner.kind === 'credit' ? creditLeft(owner.organization) : budgetLeft(owner);
  const { rows } = await sql<{ left: string; set_aside: string }>`
    SELECT ${left} AS "left", (SELECT coalesce(sum(amount), 0) FROM allowances WHERE pot = ${pot}) AS set_aside`.execute(db);
  return { left: BigInt(rows[0]?.left ?? 0) as FemtoUsd, setAside: BigInt(rows[0]?.set_aside ?? 0) as FemtoUsd };
}

/** Credit less what is used and not invoiced, as in `readBalance`. */
function creditLeft(organization: string) {
  return sql`(SELECT coalesce(-sum(amount), 0) FROM balances WHERE organization = ${organization} AND account IN ('unbilled', 'paid_credit', 'granted_credit'))`;
}

/** The budget less what was spent of it, as in `budgetState`. */
function budgetLeft({ budget, period }: Extract<PotOwner, { kind: 'budget' }>) {
  const within = period === 'total' ? sql`true` : sql`rollups.start_ms >= ${monthStartMs(period)} AND rollups.start_ms < ${monthStartMs(nextMonth(period))}`;
  return sql`(${String(budget.amount)}::numeric - (
    SELECT coalesce(sum((prompt_tokens - cached_tokens)::numeric * price_input + cached_tokens::numeric * price_input_cached + completion_tokens::numeric * price_output), 0)
    FROM meters JOIN rollups ON rollups.meter = meters.id
    WHERE rollups.grain = 'day' AND meters.organization = ${budget.organization} AND ${sql.ref(`meters.${COLUMN_OF[budget.scope]}`)} = ${budget.scopeId} AND ${within}))`;
}
