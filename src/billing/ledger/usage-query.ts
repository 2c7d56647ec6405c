import type { FemtoUsd } from '../../core/index.ts';
import type { Charge } from '../prices/charge.ts';

/** `whole`: all of the time that is asked for, in days, as one. */
export type Grain = 'minute' | 'hour' | 'day' | 'whole';

/** By what usage can be told apart, besides its time. */
export const USAGE_DIMENSIONS = ['organization', 'project', 'keyId', 'model', 'endpoint', 'tier', 'priceRow'] as const;

export type UsageDimension = (typeof USAGE_DIMENSIONS)[number];

export interface UsageQuery {
  /** Milliseconds since the epoch; whole units of the grain, in UTC. The end is not part of it. */
  readonly fromMs: number;
  readonly toMs: number;
  readonly grain: Grain;
  readonly groupBy: readonly UsageDimension[];
  /** Only usage of one of these; a dimension that is not named is not looked at. */
  readonly only: Partial<Readonly<Record<UsageDimension, readonly string[]>>>;
}

/** What was used in one unit of time by one group. */
export interface UsageSum {
  readonly startMs: number;
  /** The dimensions grouped by; the others are null. */
  readonly group: Readonly<Record<UsageDimension, string | null>>;
  readonly requests: number;
  readonly promptTokens: number;
  readonly cachedTokens: number;
  readonly completionTokens: number;
  readonly reasoningTokens: number;
  readonly charge: Charge;
  /** The sum of `charge`. */
  readonly amount: FemtoUsd;
}
