import { Type, type Static } from 'typebox';
import { NO_LIMITS, type RateLimits } from '../../core/index.ts';

const Bound = Type.Optional(Type.Union([Type.Integer({ minimum: 0, maximum: 2_147_483_647 }), Type.Null()]));

/** Limits in a body; what is left out or null has no bound. */
export const LimitsBody = Type.Object(
  { requests_per_minute: Bound, tokens_per_minute: Bound, concurrent_requests: Bound },
  { additionalProperties: false, description: 'Null: no bound.' },
);

export const LimitsObject = Type.Object({
  requests_per_minute: Type.Union([Type.Integer(), Type.Null()]),
  tokens_per_minute: Type.Union([Type.Integer(), Type.Null()]),
  concurrent_requests: Type.Union([Type.Integer(), Type.Null()]),
});

export function limitsOf({ requests_per_minute: requests, tokens_per_minute: tokens, concurrent_requests: concurrent }: Static<typeof LimitsBody>): RateLimits {
  return { ...NO_LIMITS, requestsPerMinute: requests ?? null, tokensPerMinute: tokens ?? null, concurrentRequests: concurrent ?? null };
}

export function limitsObject({ requestsPerMinute, tokensPerMinute, concurrentRequests }: RateLimits): Static<typeof LimitsObject> {
  return { requests_per_minute: requestsPerMinute, tokens_per_minute: tokensPerMinute, concurrent_requests: concurrentRequests };
}
