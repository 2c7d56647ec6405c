import type { ApiKeyRecord } from '../accounts/index.ts';
import type { Hold, RequestPrice } from '../billing/index.ts';
import { costOf, MeridianError, nanoUsdPerMTok, sumOf, type FemtoUsd } from '../core/index.ts';
import type { Ask, ReceivedRequest } from './context.ts';
import type { GatewayDeps } from './deps.ts';
import type { ModelOptions } from './options.ts';

/** A token is a byte of the prompt at the least, and a body has more bytes than its prompt; what a chat template adds at its ends is less than this. */
const TEMPLATE_TOKENS = 512;
/** How long after its deadline a request that nobody settled is given up. */
const GRACE_MS = 60_000;

type HoldDeps = Pick<GatewayDeps, 'spending' | 'models' | 'options' | 'clock'>;

/** Sets aside what the request can cost at the most. Throws `insufficient_quota` when that is not left. */
export function placeHold(ask: Ask, key: ApiKeyRecord, request: ReceivedRequest, price: RequestPrice | null, deps: HoldDeps): Hold {
  const answer = deps.spending.place({
    payer: { organization: key.organization, project: key.project, keyId: key.id },
    amount: costMax(ask, request.body.length, price, deps.models.get(ask.model)),
    admittedAtMs: request.admittedAtMs,
    expiresAtMs: deps.clock.now() + deps.options.timeouts.totalMs + GRACE_MS,
  });
  if (answer.kind === 'held') return answer.hold;
  throw new MeridianError('insufficient_quota', { message: answer.why });
}

function costMax({ outputTokensMax, answersMax }: Ask, bodyBytes: number, price: RequestPrice | null, model: ModelOptions | undefined): FemtoUsd {
  if (price === null || model === undefined) return sumOf([]);
  const promptTokens = Math.min(bodyBytes + TEMPLATE_TOKENS, model.contextTokens);
  const outputTokens = answersMax * Math.min(outputTokensMax ?? model.outputTokensMax, model.contextTokens);
  return sumOf([costOf(promptTokens, nanoUsdPerMTok(price.input)), costOf(outputTokens, nanoUsdPerMTok(price.output))]);
}
