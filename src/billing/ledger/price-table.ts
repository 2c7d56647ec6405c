import type { Kysely } from 'kysely';
import { nanoUsdPerMTok } from '../../core/index.ts';
import type { PriceRow, PriceTier } from '../prices/price-book.ts';
import type { LedgerTables } from './ledger-tables.ts';

/** For rows that hold at all hours. */
export async function insertPrice(db: Kysely<LedgerTables>, { id, model, tier, effectiveFromMs, input, inputCached, output }: PriceRow, nowMs: number): Promise<void> {
  const prices = { input: Number(input), input_cached: Number(inputCached), output: Number(output) };
  await db.insertInto('prices').values({ id, model, tier, effective_from_ms: effectiveFromMs, ...prices, created_at_ms: nowMs }).execute();
}

/** In the order in which they were added. */
export async function listPrices(db: Kysely<LedgerTables>): Promise<readonly PriceRow[]> {
  const rows = await db.selectFrom('prices').selectAll().orderBy('seq').execute();
  return rows.map((row) => ({
    id: row.id,
    model: row.model,
    tier: row.tier as PriceTier,
    effectiveFromMs: row.effective_from_ms,
    effectiveToMs: null,
    hours: null,
    input: nanoUsdPerMTok(row.input),
    inputCached: nanoUsdPerMTok(row.input_cached),
    output: nanoUsdPerMTok(row.output),
  }));
}
