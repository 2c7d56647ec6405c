import { isPriority, type Priority, type RateLimits } from '../core/index.ts';
import type { Selectable } from 'kysely';
import type { AccountTables } from './account-tables.ts';
import type { KeyKind } from './api-key.ts';
import { parseLimits, parseModelLimits } from './tenant.ts';

/** How much may be asked for by a key, and by all keys of what it belongs to. */
export interface AccountLimits {
  readonly key: RateLimits;
  readonly project: RateLimits;
  /** Of the project, for single models. */
  readonly projectModels: ReadonlyMap<string, RateLimits>;
  readonly organization: RateLimits;
}

/** What is stored of a key. The key itself is not. */
export interface ApiKeyRecord {
  /** `key_` and a ULID. */
  readonly id: string;
  readonly kind: KeyKind;
  readonly name: string;
  /** The ends of the key, e.g. `mk_live_…9aZx`. */
  readonly hint: string;
  readonly organization: string;
  readonly project: string;
  /** Regions it may use; null: all. */
  readonly regions: readonly string[] | null;
  /** Models it may use; null: all. */
  readonly models: readonly string[] | null;
  readonly scopes: readonly string[];
  /** Networks it may be used from; null: anywhere. */
  readonly networks: readonly string[] | null;
  readonly serviceAccount: string | null;
  /** The key that it was made in place of. */
  readonly replaces: string | null;
  /** The highest class its requests may ask for. */
  readonly priorityMax: Priority;
  readonly limits: AccountLimits;
  /** Where too little is left for an answer of full length, a shorter one is asked for. */
  readonly clampsOutput: boolean;
  /** Milliseconds since the epoch, as all times here. */
  readonly createdAtMs: number;
  readonly expiresAtMs: number | null;
  readonly revokedAtMs: number | null;
  /** At most a minute behind. */
  readonly lastUsedAtMs: number | null;
}

/** A key with what its project and its organization say. */
export type JoinedKeyRow = Selectable<AccountTables['keys']> & {
  readonly project_archived_at_ms: number | null;
  readonly project_limits: string | null;
  readonly model_limits: string | null;
  readonly organization_limits: string | null;
};

export function keyRecordOf(row: JoinedKeyRow): ApiKeyRecord {
  return {
    id: row.id,
    kind: row.kind === 'admin' ? 'admin' : 'live',
    name: row.name,
    hint: row.hint,
    organization: row.organization,
    project: row.project,
    regions: listOf(row.regions),
    models: listOf(row.models),
    scopes: listOf(row.scopes) ?? [],
    priorityMax: isPriority(row.priority_max) ? row.priority_max : 'standard',
    networks: listOf(row.cidrs),
    clampsOutput: row.clamps_output === 1,
    serviceAccount: row.service_account,
    replaces: row.replaces,
    limits: {
      key: parseLimits(row.limits),
      project: parseLimits(row.project_limits),
      projectModels: parseModelLimits(row.model_limits),
      organization: parseLimits(row.organization_limits),
    },
    createdAtMs: row.created_at_ms,
    expiresAtMs: row.expires_at_ms,
    revokedAtMs: row.revoked_at_ms,
    lastUsedAtMs: row.last_used_at_ms,
  };
}

function listOf(value: string | null): readonly string[] | null {
  return value === null ? null : (JSON.parse(value) as string[]);
}
