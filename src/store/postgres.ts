import { Kysely, PostgresDialect, sql, type PostgresCursorConstructor, type Transaction } from 'kysely';
import type { CustomTypesConfig } from 'pg';
import type Cursor from 'pg-cursor';
import { MeridianError } from '../core/index.ts';
import { REVISIONS_TABLE } from './revisions.ts';

export interface PostgresOptions {
  /** As `postgres://user:password@host:5432/database`. */
  readonly url: string;
  /** What the tables are for; each has versions of its own. */
  readonly component: string;
  /** SQL of each schema version, oldest first. Append only: a published migration is never edited. */
  readonly migrations: readonly string[];
  /** Default 4. */
  readonly connectionsMax?: number;
  /** The longest a statement may take. Default 10,000. */
  readonly statementMs?: number;
  /** How long a connection is waited for. Default 2,000. */
  readonly connectMs?: number;
  /** Told of connections that break while nobody uses them. */
  readonly onIdleError?: (error: Error) => void;
}

const SERVER_VERSION_MIN = 140_000;
const INT8 = 20;

/**
 * The tables `Tables` in a PostgreSQL database, at the newest schema: several gateways may open it at once. A committed
 * transaction survives a power cut of the server. Rejects with `conflict`, which says what to do, when the server cannot be
 * reached, is too old, or its schema is newer than `migrations` knows.
 */
export async function openPostgres<Tables>(options: PostgresOptions): Promise<Kysely<Tables>> {
  const { url, connectionsMax = 4, statementMs = 10_000, connectMs = 2_000, onIdleError = () => {} } = options;
  // Only where it is wanted: most gateways have no PostgreSQL.
  const [{ Pool, types }, { default: PgCursor }] = await Promise.all([import('pg'), import('pg-cursor')]);
  // Numbers for `bigint`: what is kept in it here are times, counts and tokens. Money is `numeric`, and comes as text.
  const getTypeParser = ((oid: number, format?: 'text' | 'binary') => (oid === INT8 ? whole : types.getTypeParser(oid, format ?? 'text'))) as CustomTypesConfig['getTypeParser'];
  const pool = new Pool({
    connectionString: url,
    max: connectionsMax,
    connectionTimeoutMillis: connectMs,
    statement_timeout: statementMs,
    // A server that hangs does not end statements by itself.
    query_timeout: statementMs + connectMs,
    idle_in_transaction_session_timeout: 2 * statementMs,
    keepAlive: true,
    options: '-c synchronous_commit=on',
    application_name: 'meridian',
    types: { getTypeParser },
  });
  pool.on('error', onIdleError);
  // One that breaks in the middle of a transaction says so with the next statement.
  pool.on('connect', (client) => client.on('error', () => {}));
  const db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool, cursor: withoutTimeLimit(PgCursor) }) });
  try {
    await refuseOldServer(db, url);
    await migrate(db, options);
    return db;
  } catch (error) {
    await db.destroy();
    throw error instanceof MeridianError ? error : new MeridianError('conflict', { message: whyNot(error, url), cause: error });
  }
}

/**
 * Whoever writes `what` in a database that several gateways share waits here until no other one does, to the end of the
 * transaction.
 */
export async function oneAtATime<Tables>(db: Transaction<Tables> | Kysely<Tables>, what: string): Promise<void> {
  await sql`SELECT pg_advisory_xact_lock(hashtextextended(${`meridian ${what}`}, 0))`.execute(db);
}

/**
 * Cursors that `query_timeout` does not count: a cursor never says that it is done, so its time would run, and keep the
 * process up, long after. pg ends a query's time where it calls back.
 */
function withoutTimeLimit(Base: typeof Cursor): PostgresCursorConstructor {
  return class<T> extends Base<T> {
    set callback(endTime: () => void) {
      endTime();
    }
  };
}

/** The server, without the password. */
export function serverOf(url: string): string {
  const { host, pathname } = new URL(url);
  return `${host}${pathname}`;
}

async function refuseOldServer<Tables>(db: Kysely<Tables>, url: string): Promise<void> {
  const { rows } = await sql<{ server_version_num: string; server_version: string }>`
    SELECT current_setting('server_version_num') AS server_version_num, current_setting('server_version') AS server_version`.execute(db);
  const [version] = rows;
  if (Number(version?.server_version_num) >= SERVER_VERSION_MIN) return;
  throw new MeridianError('conflict', { message: `PostgreSQL at ${serverOf(url)} is version ${version?.server_version}; Meridian needs 14 or newer. Upgrade it.` });
}

/** Gateways that start together migrate one after the other; those that come later find it done. */
async function migrate<Tables>(db: Kysely<Tables>, { url, component, migrations }: PostgresOptions): Promise<void> {
  await db.transaction().execute(async (within) => {
    await oneAtATime(within, 'schema');
    await sql`CREATE TABLE IF NOT EXISTS schema_versions (component text PRIMARY KEY, version integer NOT NULL)`.execute(within);
    await sql.raw(REVISIONS_TABLE).execute(within);
    const { rows } = await sql<{ version: number }>`SELECT version FROM schema_versions WHERE component = ${component}`.execute(within);
    const version = rows[0]?.version ?? 0;
    if (version > migrations.length) {
      const message =
        `The ${component} in PostgreSQL at ${serverOf(url)} have schema version ${version}, but this Meridian knows only up to ${migrations.length}: ` +
        'they were written by a newer one. Run that, or restore a backup.';
      throw new MeridianError('conflict', { message });
    }
    if (version === migrations.length) return;
    for (const migration of migrations.slice(version)) await sql.raw(migration).execute(within);
    await sql`INSERT INTO schema_versions (component, version) VALUES (${component}, ${migrations.length})
      ON CONFLICT (component) DO UPDATE SET version = excluded.version`.execute(within);
  });
}

function whyNot(error: unknown, url: string): string {
  const { code, message } = error as { readonly code?: string; readonly message?: string };
  const at = `PostgreSQL at ${serverOf(url)}`;
  switch (code) {
    case '28P01':
    case '28000':
      return `${at} refuses the user of postgres.url: ${message}. Check user and password.`;
    case '3D000':
      return `${at}: ${message}. Make it with createdb, or correct postgres.url.`;
    case '42501':
      return `${at}: ${message}. The user of postgres.url must own the database, or may at least create tables in it.`;
    case 'ECONNREFUSED':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `${at} cannot be reached (${code}). Start it, or correct postgres.url.`;
    default:
      return `${at} cannot be used: ${message ?? String(error)}. Check postgres.url, and that the server is up.`;
  }
}

function whole(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new RangeError(`${text} from the database is beyond what is counted here`);
  return value;
}
