import type { Generated } from 'kysely';

/** The tables of accounts. Lists and limits are JSON; null means no restriction; times are milliseconds since the epoch. */
export interface AccountTables {
  readonly keys: {
    readonly seq: Generated<number>;
    readonly id: string;
    readonly hash: Uint8Array;
    readonly kind: string;
    readonly name: string;
    readonly hint: string;
    readonly organization: string;
    readonly project: string;
    readonly regions: string | null;
    readonly models: string | null;
    readonly scopes: string;
    readonly created_at_ms: number;
    readonly expires_at_ms: number | null;
    readonly revoked_at_ms: number | null;
    readonly last_used_at_ms: number | null;
    readonly priority_max: string;
    readonly cidrs: string | null;
    readonly limits: string;
    readonly service_account: string | null;
    readonly replaces: string | null;
    readonly clamps_output: number;
  };
  readonly organizations: { readonly seq: Generated<number>; readonly id: string; readonly name: string; readonly limits: string; readonly created_at_ms: number };
  readonly projects: {
    readonly seq: Generated<number>;
    readonly id: string;
    readonly organization: string;
    readonly name: string;
    readonly limits: string;
    readonly model_limits: string;
    readonly created_at_ms: number;
    readonly archived_at_ms: number | null;
  };
  readonly service_accounts: {
    readonly seq: Generated<number>;
    readonly id: string;
    readonly project: string;
    readonly name: string;
    readonly created_at_ms: number;
    readonly deleted_at_ms: number | null;
  };
  readonly audit_events: {
    readonly seq: number;
    readonly id: string;
    readonly at_ms: number;
    readonly type: string;
    readonly actor: string;
    readonly actor_key: string | null;
    readonly organization: string | null;
    readonly project: string | null;
    readonly resource: string | null;
    readonly detail: string;
    readonly hash: string;
  };
  readonly audit_head: { readonly seal: string };
  readonly pepper_check: { readonly fingerprint: Uint8Array };
}
