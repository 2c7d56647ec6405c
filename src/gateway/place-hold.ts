import type { ApiKeyRecord } from '../accounts/index.ts';
import type { Hold, RequestPrice } from '../billing/index.ts';
import { costOf, MeridianError, nanoUsdPerMTok, sumOf, type FemtoUsd } from '../core/index.ts';
import { editMembers, TEXT_TOKENS_DEFAULT } from '../openai/index.ts';
import type { Ask, Endpoint, ReceivedRequest } from './context.ts';
import type { GatewayDeps } from './deps.ts';
import type { ModelOptions } from './options.ts';

/** How long after its deadline a request that nobody settled is given up. */
const GRACE_MS = 60_000;

type HoldDeps = Pick<GatewayDeps, 'spending' | 'models' | 'options' | 'clock'>;

/** What is held for a request, which may ask for less than the client did. */
export interface Held {
  readonly hold: Hold;
  readonly ask: Ask;
}

/**
 * Sets aside what the request can cost at the most. Rejects with `insufficient_quota` when that is not left; for a key that wants it so,
 * the answer is cut to what is.
 */
export async function placeHold(asked: Ask, key: ApiKeyRecord, request: ReceivedRequest, price: RequestPrice | null, deps: HoldDeps): Promise<Held> {
  const { spending, models, clock, options } = deps;
  const payer = { organization: key.organization, project: key.project, keyId: key.id };
  const { admittedAtMs, endpoint } = request;
  const model = models.get(asked.model);
  const isPaidFor = price !== null && model !== undefined && spending.bounds(payer, admittedAtMs);
  const ask = isPaidFor ? bounded(asked, endpoint, model) : asked;
  const most = costsMax(ask, price, model);
  const expiresAtMs = clock.now() + options.timeouts.totalMs + GRACE_MS;
  const wanted = { payer, admittedAtMs, expiresAtMs };
  const answer = await spending.place({ ...wanted, amount: sumOf([most.prompt, costOf(most.outputTokens, most.outputPrice)]) });
  if (answer.kind === 'held') return { hold: answer.hold, ask };
  const canShorten = key.clampsOutput && most.outputTokens > 0 && most.outputPrice > 0n;
  const left = canShorten ? await spending.leftFor(payer, admittedAtMs) : null;
  const tokens = left === null ? 0 : Number((left - most.prompt) / (most.outputPrice * BigInt(ask.answersMax)));
  if (tokens < 1) throw new MeridianError('insufficient_quota', { message: answer.why });
  const clamped = await spending.place({ ...wanted, amount: sumOf([most.prompt, costOf(tokens * ask.answersMax, most.outputPrice)]) });
  if (clamped.kind === 'held') return { hold: clamped.hold, ask: withOutputMax(ask, tokens) };
  throw new MeridianError('insufficient_quota', { message: clamped.why });
}

/**
 * An answer for which the client set no bound is held to the usual one: a chat's to the model's own. Engines refuse a bound that
 * does not fit beside the prompt: a prompt for which that could be so goes without, and may be answered up to the end of the context.
 */
function bounded(ask: Ask, endpoint: Endpoint, { contextTokens, outputTokensMax }: ModelOptions): Ask {
  if (endpoint === 'embeddings' || ask.outputTokensMax !== null) return ask;
  const usual = endpoint === 'completions' ? TEXT_TOKENS_DEFAULT : outputTokensMax;
  return ask.promptTokensMax + usual <= contextTokens ? withOutputMax(ask, usual) : ask;
}

/** What the prompt costs at the most, and of how many output tokens at which price the rest is. */
function costsMax({ promptTokensMax, outputTokensMax, answersMax }: Ask, price: RequestPrice | null, model: ModelOptions | undefined) {
  const outputPrice = nanoUsdPerMTok(price?.output ?? 0);
  if (price === null || model === undefined) return { prompt: 0n as FemtoUsd, outputTokens: 0, outputPrice };
  const outputTokens = answersMax * Math.min(outputTokensMax ?? model.contextTokens, model.contextTokens);
  return { prompt: costOf(promptTokensMax, nanoUsdPerMTok(price.input)), outputTokens, outputPrice };
}

/** The same request with a bound on its answer; by the newer name where the client used it. */
function withOutputMax(ask: Ask, tokens: number): Ask {
  const newer = ask.body.includes('"max_completion_tokens"') ? { max_completion_tokens: String(tokens) } : {};
  return { ...ask, outputTokensMax: tokens, body: editMembers(ask.body, { max_tokens: String(tokens), ...newer }) ?? ask.body };
}
