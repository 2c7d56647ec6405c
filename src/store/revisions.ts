import { sql, type Kysely } from 'kysely';

/** A number for each thing that several gateways must know of when it changes. */
export const REVISIONS_TABLE = 'CREATE TABLE IF NOT EXISTS revisions (name text PRIMARY KEY, number bigint NOT NULL)';

/** Within the transaction that changes it: whoever looks at the number later and finds another one, looks anew. */
export async function raiseRevision<Tables>(db: Kysely<Tables>, name: string): Promise<void> {
  await sql`INSERT INTO revisions (name, number) VALUES (${name}, 1) ON CONFLICT (name) DO UPDATE SET number = revisions.number + 1`.execute(db);
}

/** The number of each that was ever raised. */
export async function readRevisions<Tables>(db: Kysely<Tables>): Promise<ReadonlyMap<string, number>> {
  const { rows } = await sql<{ name: string; number: number }>`SELECT name, number FROM revisions`.execute(db);
  return new Map(rows.map(({ name, number }) => [name, number]));
}
