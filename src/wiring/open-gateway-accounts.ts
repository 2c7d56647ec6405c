import { openAccounts, type Accounts } from '../accounts/index.ts';
import type { Clock, Logger } from '../core/index.ts';
import type { Shared } from './open-shared.ts';
import type { Teardown } from './teardown.ts';

interface AccountsOf {
  readonly shared: Shared | null;
  /** Of the SQLite file, of a gateway alone. */
  readonly path: string;
  readonly pepper: Buffer;
  readonly clock: Clock;
  readonly log: Logger;
}

/**
 * The accounts of a gateway alone, or of several. What a gateway remembers of shared ones is forgotten whenever another one
 * changes something, and confirmed at each beat at which nothing was; while the database cannot be asked it is good for `key_cache_ms`.
 */
export async function openGatewayAccounts({ shared, path, pepper, clock, log }: AccountsOf, teardown: Teardown): Promise<Accounts> {
  if (shared === null) return teardown.add(await openAccounts({ at: { kind: 'sqlite', path }, pepper, clock, log }));
  const { postgres, sharing, changes, onIdleError } = shared;
  const { url, connectionsMax, statementMs } = postgres;
  const at = { kind: 'postgres' as const, url, connectionsMax: Math.ceil(connectionsMax / 4), statementMs, onIdleError };
  const accounts = teardown.add(await openAccounts({ at, pepper, clock, log, recheckMs: sharing.keyCacheMs, onChange: () => changes.tell('accounts') }));
  changes.on('accounts', () => accounts.keys.forget());
  changes.onLook((atMs) => accounts.keys.confirm(atMs));
  return accounts;
}
