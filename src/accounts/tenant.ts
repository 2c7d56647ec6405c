import { NO_LIMITS, type RateLimits } from '../core/index.ts';

/** Who pays. Times are milliseconds since the epoch. */
export interface Organization {
  readonly id: string;
  readonly name: string;
  readonly limits: RateLimits;
  readonly createdAtMs: number;
}

/** What an organization keeps apart: its keys, limits and usage. */
export interface Project {
  readonly id: string;
  readonly organization: string;
  readonly name: string;
  readonly limits: RateLimits;
  /** Of single models, beside `limits`. */
  readonly modelLimits: ReadonlyMap<string, RateLimits>;
  readonly createdAtMs: number;
  /** Nothing is served for a project that is archived. */
  readonly archivedAtMs: number | null;
}

/** A program that uses a project, with a key of its own. */
export interface ServiceAccount {
  readonly id: string;
  readonly project: string;
  readonly name: string;
  readonly createdAtMs: number;
}

export interface TenantPage<Item> {
  readonly items: readonly Item[];
  readonly hasMore: boolean;
}

export interface TenantQuery {
  /** Id of the last one of the page before. */
  readonly after?: string | undefined;
  readonly limit: number;
}

export const DEFAULT_ORGANIZATION = 'org_default';

/** The project of keys that name none. */
export function defaultProject(organization: string): string {
  return organization === DEFAULT_ORGANIZATION ? 'proj_default' : `proj_default-${organization}`;
}

/** As stored; what is not said has no bound. */
export function parseLimits(text: unknown): RateLimits {
  return { ...NO_LIMITS, ...(JSON.parse(typeof text === 'string' ? text : '{}') as Partial<RateLimits>) };
}

export function parseModelLimits(text: unknown): ReadonlyMap<string, RateLimits> {
  const byModel = JSON.parse(typeof text === 'string' ? text : '{}') as Record<string, Partial<RateLimits>>;
  return new Map(Object.entries(byModel).map(([model, limits]) => [model, { ...NO_LIMITS, ...limits }]));
}
