import { cacheSalts, type Accounts, type KeyStore } from '../accounts/index.ts';
import { AnswerStore, openJournal, type Journal, type LedgerDatabase, type WebhookDesk } from '../billing/index.ts';
import { ulid, type Clock, type Logger, type Rng } from '../core/index.ts';
import { deriveKey, openDataDirectory, writeOnce } from '../store/index.ts';
import type { GatewayConfig } from '../config/index.ts';
import { openGatewayAccounts } from './open-gateway-accounts.ts';
import { openBooks, type Books } from './open-books.ts';
import { openShared, type Shared } from './open-shared.ts';
import { openWebhooks } from './open-webhooks.ts';
import type { Teardown } from './teardown.ts';

/** Of the ledger's thread, which does one thing after the other. */
const LEDGER_CONNECTIONS = 2;

/** What survives a restart: keys, the usage journal and the books, in the data directory. */
export interface Records extends Books {
  readonly accounts: Accounts;
  readonly keys: KeyStore;
  readonly journal: Journal;
  readonly webhooks: WebhookDesk;
  readonly answers: AnswerStore;
  /** What this gateway shares with others; null for one alone. */
  readonly shared: Shared | null;
  /** Of the registry of nodes. */
  readonly nodesPath: string;
  readonly cacheSalt: (organization: string) => string;
}

export async function openRecords(
  config: GatewayConfig,
  world: { readonly clock: Clock; readonly rng: Rng; readonly log: Logger },
  teardown: Teardown,
): Promise<Records> {
  const { clock, log } = world;
  const directory = teardown.add(openDataDirectory(config.dataDir, config.secretsFile));
  const shared = await openShared(config, world, teardown);
  const { keyPepper, cacheSaltSecret } = directory.secrets;
  const accounts = await openGatewayAccounts({ shared, path: directory.path('accounts.sqlite'), pepper: keyPepper, clock, log }, teardown);
  const { keys } = accounts;
  const { groupCommitMs, streamGroupCommitMs } = config.journal;
  const path = directory.path('journal.sqlite');
  const journal = teardown.add(await openJournal({ path, groupCommitMs, streamGroupCommitMs, clock, log }));
  const source = shared === null ? config.gateway.id : writeOnce(directory.path('journal-name'), `${config.gateway.id}/${ulid(clock.wallMs())}`);
  const database: LedgerDatabase = shared === null ? { kind: 'sqlite', path: directory.path('ledger.sqlite') } : { kind: 'postgres', url: shared.postgres.url, connectionsMax: LEDGER_CONNECTIONS, statementMs: 10 * shared.postgres.statementMs };
  const sealKey = deriveKey(keyPepper, 'ledger seals');
  const books = await openBooks({ database, shared, journalPath: path, source, sealKey, journal, billing: config.billing, projectNames: () => accounts.tenants.projectNames() }, { clock, log }, teardown);
  const webhooks = openWebhooks(config.webhooks, books.ledger.webhooks, deriveKey(keyPepper, 'webhook secrets'), world, teardown);
  const { ttlMs, bytesMax } = config.idempotency;
  const answers = teardown.add(new AnswerStore({ path: directory.path('idempotency.sqlite'), secret: deriveKey(keyPepper, 'idempotency'), ttlMs, bytesMax, clock }));
  return { accounts, keys, journal, ...books, webhooks, answers, shared, nodesPath: directory.path('nodes.sqlite'), cacheSalt: cacheSalts(cacheSaltSecret) };
}
