import { MINUTE_MS } from '../../core/index.ts';
import { sql, type Kysely } from 'kysely';
import { addCharges, chargeTotal, NO_CHARGE, type Charge } from '../prices/charge.ts';
import type { LedgerTables, MeterRow } from './ledger-tables.ts';
import { addTokens, chargeOfSums, NO_TOKENS, sumsOf, type TokenSums } from './token-sums.ts';
import { USAGE_DIMENSIONS, type UsageDimension, type UsageQuery, type UsageSum } from './usage-query.ts';


const COLUMN_OF = {
  organization: 'organization',
  project: 'project',
  keyId: 'key_id',
  model: 'model',
  endpoint: 'endpoint',
  tier: 'tier',
  priceRow: 'price_row',
} as const satisfies Record<UsageDimension, keyof MeterRow>;

/** A meter and what it counted in one unit of time. */
type Counted = MeterRow & TokenSums & { readonly start_ms: number };

interface Group {
  readonly startMs: number;
  readonly group: UsageSum['group'];
  sums: TokenSums;
  charge: Charge;
}

/** Usage by time and group, earliest first. Minutes are counted from the events, all else from the rollups. */
export async function readUsage(db: Kysely<LedgerTables>, query: UsageQuery): Promise<readonly UsageSum[]> {
  const rows = await countedRows(db, query);
  const groups = new Map<string, Group>();
  for (const row of rows) {
    const values = query.groupBy.map((dimension) => row[COLUMN_OF[dimension]]);
    const key = JSON.stringify([row.start_ms, ...values]);
    const found = groups.get(key) ?? { startMs: row.start_ms, group: groupOf(row, query.groupBy), sums: NO_TOKENS, charge: NO_CHARGE };
    found.sums = addTokens(found.sums, row);
    found.charge = addCharges(found.charge, chargeOfSums(row, row));
    groups.set(key, found);
  }
  return [...groups.values()].toSorted((a, b) => a.startMs - b.startMs).map(usageSum);
}

function countedRows(db: Kysely<LedgerTables>, query: UsageQuery): Promise<Counted[]> {
  if (query.grain === 'minute') return minutes(db, query);
  return query.grain === 'whole' ? whole(db, query) : rollups(db, query);
}

/** One row for each meter, at the beginning of the time. */
function whole(db: Kysely<LedgerTables>, query: UsageQuery): Promise<Counted[]> {
  return rollupsIn(db, query, 'day')
    .selectAll('meters')
    .select(sql<number>`${sql.lit(query.fromMs)}`.as('start_ms'))
    .select(sumsOf('rollups'))
    .groupBy('meters.id')
    .orderBy('meters.id')
    .execute();
}

function rollups(db: Kysely<LedgerTables>, query: UsageQuery): Promise<Counted[]> {
  return rollupsIn(db, query, query.grain)
    .selectAll('meters')
    .select(['rollups.start_ms', 'rollups.requests', 'rollups.prompt_tokens', 'rollups.cached_tokens', 'rollups.completion_tokens', 'rollups.reasoning_tokens'])
    .orderBy('rollups.start_ms')
    .orderBy('meters.id')
    .execute();
}

function rollupsIn(db: Kysely<LedgerTables>, { fromMs, toMs, only }: UsageQuery, grain: string) {
  let rows = db
    .selectFrom('meters')
    .innerJoin('rollups', 'rollups.meter', 'meters.id')
    .where('rollups.grain', '=', grain)
    .where('rollups.start_ms', '>=', fromMs)
    .where('rollups.start_ms', '<', toMs);
  for (const [column, values] of filters(only)) rows = rows.where(`meters.${column}`, 'in', values);
  return rows;
}

function minutes(db: Kysely<LedgerTables>, { fromMs, toMs, only }: UsageQuery): Promise<Counted[]> {
  let rows = db.selectFrom('events').innerJoin('meters', 'meters.id', 'events.meter').where('events.at_ms', '>=', fromMs).where('events.at_ms', '<', toMs);
  for (const [column, values] of filters(only)) rows = rows.where(`meters.${column}`, 'in', values);
  const start = sql<number>`events.at_ms - events.at_ms % ${sql.lit(MINUTE_MS)}`;
  return rows
    .selectAll('meters')
    .select(start.as('start_ms'))
    .select(sumsOf('events'))
    .groupBy([start, 'meters.id'])
    .orderBy('start_ms')
    .orderBy('meters.id')
    .execute();
}

function filters(only: UsageQuery['only']) {
  return USAGE_DIMENSIONS.flatMap((dimension) => {
    const values = only[dimension];
    return values === undefined ? [] : [[COLUMN_OF[dimension], values] as const];
  });
}

function groupOf(row: MeterRow, groupBy: readonly UsageDimension[]): UsageSum['group'] {
  const value = (dimension: UsageDimension): string | null => (groupBy.includes(dimension) ? row[COLUMN_OF[dimension]] : null);
  return {
    organization: value('organization'),
    project: value('project'),
    keyId: value('keyId'),
    model: value('model'),
    endpoint: value('endpoint'),
    tier: value('tier'),
    priceRow: value('priceRow'),
  };
}

function usageSum({ startMs, group, sums, charge }: Group): UsageSum {
  return {
    startMs,
    group,
    requests: sums.requests,
    promptTokens: sums.prompt_tokens,
    cachedTokens: sums.cached_tokens,
    completionTokens: sums.completion_tokens,
    reasoningTokens: sums.reasoning_tokens,
    charge,
    amount: chargeTotal(charge),
  };
}
