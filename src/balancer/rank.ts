import type { Rng } from '../core/index.ts';
import { costTerms, totalMs, type CostOptions, type CostTerms, type ReplicaSnapshot } from './cost.ts';

export interface RankOptions extends CostOptions {
  /** Costs this close to the least count as equal, and chance decides: many gateways must not all pick the same one. */
  readonly tieMs: number;
}

export interface Candidate {
  readonly id: string;
  readonly region: string;
  readonly costMs: number;
  readonly terms: CostTerms;
}

/** The replicas by predicted cost, least first; near-ties with the least in random order. Pure but for `rng`. */
export function rank(
  promptTokens: number,
  replicas: readonly ReplicaSnapshot[],
  options: RankOptions,
  rng: Rng,
): Candidate[] {
  const candidates = replicas.map((replica): Candidate => {
    const terms = costTerms(promptTokens, replica, options);
    return { id: replica.id, region: replica.region, costMs: totalMs(terms), terms };
  });
  candidates.sort((a, b) => a.costMs - b.costMs);
  const least = candidates[0]?.costMs ?? 0;
  const ties = candidates.findIndex((candidate) => candidate.costMs > least + options.tieMs);
  shuffleFirst(candidates, ties < 0 ? candidates.length : ties, rng);
  return candidates;
}

/** Fisher–Yates over the first `count` items. */
function shuffleFirst<T>(items: T[], count: number, rng: Rng): void {
  for (let i = count - 1; i > 0; i -= 1) {
    const j = Math.floor(rng.next() * (i + 1));
    const held = items[i] as T;
    items[i] = items[j] as T;
    items[j] = held;
  }
}
