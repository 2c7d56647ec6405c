import type { ApiKeyRecord } from '../accounts/index.ts';
import type { LimitAnswer, LimitedScope, RatePermit } from '../admission/index.ts';
import { MeridianError } from '../core/index.ts';
import type { AnswerHeaders } from './answer-headers.ts';
import type { Ask } from './context.ts';
import type { GatewayDeps } from './deps.ts';
import { duration } from './rate-limit-headers.ts';

type LimitDeps = Pick<GatewayDeps, 'rateLimiter' | 'expectedOutput' | 'clock' | 'metrics'>;

/**
 * Counts the request against the limits of its key, project and organization: with its prompt as it is estimated, and its answer
 * at its bound, or where it has none at the length that is expected. Rejects with `rate_limit_exceeded`.
 */
export async function limitRate(ask: Ask, key: ApiKeyRecord, shown: AnswerHeaders, { rateLimiter, expectedOutput, clock, metrics }: LimitDeps): Promise<RatePermit> {
  const answerTokens = ask.outputTokensMax ?? Math.ceil(expectedOutput.estimate(key.id, ask.model, null));
  const asked = rateLimiter.enter(scopesOf(key, ask.model), ask.promptTokensEstimate + ask.answersMax * answerTokens, clock.now());
  const answer = asked instanceof Promise ? await asked : asked;
  shown.limits = answer.kind === 'entered' ? answer.permit.view : answer.view;
  if (answer.kind === 'entered') return answer.permit;
  metrics.limited(answer.scope.kind, answer.limit);
  throw new MeridianError('rate_limit_exceeded', { message: whyRefused(answer, ask), retryAfterMs: answer.retryAfterMs });
}

function scopesOf({ id, project, organization, limits }: ApiKeyRecord, model: string): LimitedScope[] {
  const ofModel = limits.projectModels.get(model);
  return [
    { kind: 'key', id: `key ${id}`, limits: limits.key },
    ...(ofModel === undefined ? [] : [{ kind: 'project model' as const, id: `model ${project} ${model}`, limits: ofModel }]),
    { kind: 'project', id: `project ${project}`, limits: limits.project },
    { kind: 'organization', id: `organization ${organization}`, limits: limits.organization },
  ];
}

const NAMES = { key: 'this API key', project: 'this project', organization: 'this organization' };

function whyRefused({ scope, limit, max, used, retryAfterMs }: Extract<LimitAnswer, { kind: 'refused' }>, ask: Ask): string {
  const whose = scope.kind === 'project model' ? `this project and ${ask.model}` : NAMES[scope.kind];
  if (limit === 'concurrent') return `Rate limit reached for ${whose}: ${max} requests at once, and ${used} are under way.`;
  const what = limit === 'requests' ? 'requests' : 'tokens';
  const wanted = limit === 'tokens' ? `, and this request may use ${ask.promptTokensEstimate + ask.answersMax * (ask.outputTokensMax ?? 0)} at the least` : '';
  return `Rate limit reached for ${whose}: ${max} ${what} per minute, of which ${Math.ceil(used)} are used${wanted}. Try again in ${duration(retryAfterMs)}.`;
}
