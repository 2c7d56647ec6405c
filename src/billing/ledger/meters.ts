import type { Kysely } from 'kysely';
import { LRUCache } from 'lru-cache';
import type { Meter } from './ledger-event.ts';
import type { LedgerTables, MeterRow } from './ledger-tables.ts';

const REMEMBERED_MAX = 100_000;
const TIER = 'standard';

/** The numbers of meters, each given once. */
export class Meters {
  readonly #ids = new LRUCache<string, number>({ max: REMEMBERED_MAX });

  /** The number of each, in their order. Ask within the transaction that uses them. */
  async idsOf(db: Kysely<LedgerTables>, meters: readonly Meter[]): Promise<number[]> {
    const ids: number[] = [];
    for (const meter of meters) ids.push(await this.#idOf(db, meter));
    return ids;
  }

  /** After a transaction was taken back, numbers it gave are nobody's. */
  forget(): void {
    this.#ids.clear();
  }

  async #idOf(db: Kysely<LedgerTables>, meter: Meter): Promise<number> {
    const name = meterName(meter);
    const known = this.#ids.get(name);
    if (known !== undefined) return known;
    const row = { name, ...meterColumns(meter) };
    await db.insertInto('meters').values(row).onConflict((conflict) => conflict.column('name').doNothing()).execute();
    const { id } = await db.selectFrom('meters').select('id').where('name', '=', name).executeTakeFirstOrThrow();
    this.#ids.set(name, id);
    return id;
  }
}

/** Everything a meter says, as the text that tells it from others. */
export function meterName({ organization, project, keyId, model, endpoint, price }: Meter): string {
  const priced = price === null ? null : [price.row, price.tier, price.window, price.input, price.inputCached, price.output];
  return JSON.stringify([organization, project, keyId, model, endpoint, priced]);
}

/** Meters whose columns are not what their names say. */
export async function meterFaults(db: Kysely<LedgerTables>): Promise<readonly string[]> {
  const rows = await db.selectFrom('meters').selectAll().execute();
  return rows.filter((row) => nameOf(row) !== row.name).map(({ id }) => `meter ${id} is not what its name says`);
}

function nameOf(row: MeterRow): string {
  const { organization, project, key_id: keyId, model, endpoint, price_row: priceRow, tier, price_window: window } = row;
  const prices = [row.price_input, row.price_input_cached, row.price_output];
  const isFree = priceRow === null && window === null && prices.every((price) => price === 0);
  const priced = isFree ? null : [priceRow, tier, window, ...prices];
  return JSON.stringify([organization, project, keyId, model, endpoint, priced]);
}

function meterColumns({ organization, project, keyId, model, endpoint, price }: Meter): Omit<MeterRow, 'id' | 'name'> {
  return {
    organization,
    project,
    key_id: keyId,
    model,
    endpoint,
    tier: price?.tier ?? TIER,
    price_row: price?.row ?? null,
    price_window: price?.window ?? null,
    price_input: price?.input ?? 0,
    price_input_cached: price?.inputCached ?? 0,
    price_output: price?.output ?? 0,
  };
}
