import type { GatewayConfig } from '../config/index.ts';
import type { GatewayOptions, ModelOptions } from '../gateway/index.ts';

/** How long a node's exact count of a cut attempt is waited for. */
const SETTLEMENT_MS = 2_000;

/** The bounds and waits of the way of a request, from the configuration. */
export function gatewayOptions(config: GatewayConfig): GatewayOptions {
  const { keepAliveCommentMs, ...timeouts } = config.timeouts;
  return {
    limits: { ...config.limits, idempotentAnswerBytesMax: config.idempotency.answerBytesMax },
    timeouts: { ...timeouts, keepAliveMs: keepAliveCommentMs, settlementMs: SETTLEMENT_MS },
    retries: config.retries,
    health: config.health,
    exposeReplica: config.routingHeaders.exposeReplica,
    logRequests: config.telemetry.logRequests,
  };
}

export function modelOptions(config: GatewayConfig): Map<string, ModelOptions> {
  return new Map(
    Object.entries(config.models).map(([name, { contextTokens, outputTokensMax, servedAs, free }]) => [
      name,
      { contextTokens, outputTokensMax, servedAs: servedAs ?? null, isFree: free },
    ]),
  );
}
