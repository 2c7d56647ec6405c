import type { Kysely } from 'kysely';
import type { GatewayConfig } from '../config/index.ts';
import type { Clock, Logger } from '../core/index.ts';
import { openPostgres } from '../store/index.ts';
import { Changes } from './changes.ts';
import { openRedisParts, type RedisParts } from './open-redis-parts.ts';
import type { Teardown } from './teardown.ts';

/** What this gateway shares with others. */
export interface Shared {
  readonly postgres: NonNullable<GatewayConfig['postgres']>;
  readonly sharing: GatewayConfig['sharing'];
  /** Connections for what requests wait for. */
  readonly db: Kysely<unknown>;
  readonly changes: Changes;
  readonly onIdleError: (error: Error) => void;
  /** Null where gateways share their books only. */
  readonly redisParts: RedisParts | null;
}

/** Null for a gateway that keeps all to itself. Rejects with `conflict` when the database cannot be used. */
export async function openShared({ postgres, redis, sharing }: GatewayConfig, { clock, log }: { readonly clock: Clock; readonly log: Logger }, teardown: Teardown): Promise<Shared | null> {
  if (postgres === undefined) return null;
  const { url, connectionsMax, statementMs } = postgres;
  const onIdleError = (error: Error): void => log.warn({ error: error.message }, 'a connection to PostgreSQL broke');
  const db = await openPostgres<unknown>({ url, component: 'gateways', migrations: [], connectionsMax: Math.ceil(connectionsMax / 4), statementMs, onIdleError });
  teardown.add({ close: () => db.destroy() });
  const changes = teardown.add(new Changes({ db, everyMs: sharing.beatMs, clock, log }));
  const redisParts = await openRedisParts(redis, changes, { clock, log }, teardown);
  return { postgres, sharing, db, changes, onIdleError, redisParts };
}
