import type { LimitedScope } from '../admission/index.ts';

/** The keys of a scope; those of one organization are in one slot of a cluster, so that one script looks at all of a request. */
export interface ScopeKeys {
  readonly window: string;
  readonly live: string;
}

/** In the order of `scopes`, the last of which is the organization. */
export function scopeKeys(prefix: string, scopes: readonly LimitedScope[]): ScopeKeys[] {
  const tag = scopes.find(({ kind }) => kind === 'organization')?.id ?? scopes.at(-1)?.id ?? '';
  return scopes.map(({ id }) => ({ window: `${prefix}:{${tag}}:rate:${id}`, live: `${prefix}:{${tag}}:live:${id}` }));
}
