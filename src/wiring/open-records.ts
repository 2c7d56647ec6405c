import { cacheSalts, openAccounts, type Accounts, type KeyStore } from '../accounts/index.ts';
import { AnswerStore, openJournal, type Journal, type WebhookDesk } from '../billing/index.ts';
import type { GatewayConfig } from '../config/index.ts';
import type { Clock, Logger, Rng } from '../core/index.ts';
import { deriveKey, openDataDirectory } from '../store/index.ts';
import { openBooks, type Books } from './open-books.ts';
import { openWebhooks } from './open-webhooks.ts';
import type { Teardown } from './teardown.ts';

/** What survives a restart: keys, the usage journal and the books, in the data directory. */
export interface Records extends Books {
  readonly accounts: Accounts;
  readonly keys: KeyStore;
  readonly journal: Journal;
  readonly webhooks: WebhookDesk;
  readonly answers: AnswerStore;
  /** Of the registry of nodes. */
  readonly nodesPath: string;
  readonly cacheSalt: (organization: string) => string;
}

export async function openRecords(
  config: Pick<GatewayConfig, 'dataDir' | 'gateway' | 'journal' | 'billing' | 'webhooks' | 'idempotency'>,
  world: { readonly clock: Clock; readonly rng: Rng; readonly log: Logger },
  teardown: Teardown,
): Promise<Records> {
  const { clock, log } = world;
  const directory = teardown.add(openDataDirectory(config.dataDir));
  const { keyPepper, cacheSaltSecret } = directory.secrets;
  const accounts = teardown.add(openAccounts({ path: directory.path('accounts.sqlite'), pepper: keyPepper, clock, log }));
  const { keys } = accounts;
  const { groupCommitMs, streamGroupCommitMs } = config.journal;
  const path = directory.path('journal.sqlite');
  const journal = teardown.add(await openJournal({ path, groupCommitMs, streamGroupCommitMs, clock, log }));
  const ledgerPath = directory.path('ledger.sqlite');
  const sealKey = deriveKey(keyPepper, 'ledger seals');
  const books = await openBooks({ ledgerPath, journalPath: path, source: config.gateway.id, sealKey, journal, billing: config.billing, projectNames: () => accounts.tenants.projectNames() }, { clock, log }, teardown);
  const webhooks = openWebhooks(config.webhooks, books.ledger.webhooks, deriveKey(keyPepper, 'webhook secrets'), world, teardown);
  const { ttlMs, bytesMax } = config.idempotency;
  const answers = teardown.add(new AnswerStore({ path: directory.path('idempotency.sqlite'), secret: deriveKey(keyPepper, 'idempotency'), ttlMs, bytesMax, clock }));
  return { accounts, keys, journal, ...books, webhooks, answers, nodesPath: directory.path('nodes.sqlite'), cacheSalt: cacheSalts(cacheSaltSecret) };
}
