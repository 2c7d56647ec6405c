import type { GatewayConfig } from '../config/index.ts';
import { PACE_PRIOR, type PacePrior, type ReplicaHealthOptions } from '../health/index.ts';

export function replicaHealth({ breaker, health }: GatewayConfig): ReplicaHealthOptions {
  return { breaker, ...health };
}

export function pacePrior({ balancer }: GatewayConfig): PacePrior {
  return { ...PACE_PRIOR, prefillTokensPerS: balancer.prefillTokensPerS };
}
