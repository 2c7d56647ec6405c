import type { SQLOutputValue } from 'node:sqlite';
import { isPriority, type Priority, type RateLimits } from '../core/index.ts';
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

type Row = Readonly<Record<string, SQLOutputValue>>;

/** Reads a row of the `keys` table, joined with its project's and its organization's limits. */
export function keyRecordOf(row: Row): ApiKeyRecord {
  return {
    id: String(row['id']),
    kind: row['kind'] === 'admin' ? 'admin' : 'live',
    name: String(row['name']),
    hint: String(row['hint']),
    organization: String(row['organization']),
    project: String(row['project']),
    regions: listOf(row['regions']),
    models: listOf(row['models']),
    scopes: listOf(row['scopes']) ?? [],
    priorityMax: isPriority(row['priority_max']) ? row['priority_max'] : 'standard',
    networks: listOf(row['cidrs']),
    clampsOutput: row['clamps_output'] === 1,
    serviceAccount: textOf(row['service_account']),
    replaces: textOf(row['replaces']),
    limits: {
      key: parseLimits(row['limits']),
      project: parseLimits(row['project_limits']),
      projectModels: parseModelLimits(row['model_limits']),
      organization: parseLimits(row['organization_limits']),
    },
    createdAtMs: Number(row['created_at_ms']),
    expiresAtMs: timeOf(row['expires_at_ms']),
    revokedAtMs: timeOf(row['revoked_at_ms']),
    lastUsedAtMs: timeOf(row['last_used_at_ms']),
  };
}

function listOf(value: SQLOutputValue | undefined): readonly string[] | null {
  return typeof value === 'string' ? (JSON.parse(value) as string[]) : null;
}

function textOf(value: SQLOutputValue | undefined): string | null {
  return typeof value === 'string' ? value : null;
}

function timeOf(value: SQLOutputValue | undefined): number | null {
  return typeof value === 'number' ? value : null;
}
