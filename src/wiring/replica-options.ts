import type { GatewayConfig } from '../config/index.ts';
import { PACE_PRIOR, type PacePrior, type ReplicaHealthOptions } from '../health/index.ts';

/** By what replicas are judged. */
export function replicaHealth({ breaker, health }: GatewayConfig): ReplicaHealthOptions {
  return { breaker, ...health };
}

/** What is taken for their speed before it is learned. */
export function pacePrior({ balancer }: GatewayConfig): PacePrior {
  return { ...PACE_PRIOR, prefillTokensPerS: balancer.prefillTokensPerS };
}
