import type { ApiKeyRecord } from '../../accounts/index.ts';
import type { InFlightPermit, RatePermit } from '../../admission/index.ts';
import type { Hold, RequestPrice } from '../../billing/index.ts';
import { MeridianError, type Priority } from '../../core/index.ts';
import type { AnswerHeaders } from '../answer-headers.ts';
import type { Ask, ReceivedRequest } from '../context.ts';
import type { GatewayDeps } from '../deps.ts';
import { placeHold } from '../place-hold.ts';
import { priceOf } from '../price-of.ts';
import { limitRate } from '../rate-limit.ts';

/** What a request that was let in holds until it is over. */
export interface Admission {
  /** Null for a model that costs nothing. */
  readonly price: RequestPrice | null;
  readonly rate: RatePermit;
  readonly hold: Hold;
  /** What is asked for: less than the client wanted, where its key has a shorter answer rather than none. */
  readonly ask: Ask;
  /** Gives back what it still holds. Once, at the end. */
  leave(): void;
}

/**
 * Decides whether the request may enter now: whether this gateway can take it, what it costs, whether its limits and its
 * budgets allow it. Rejects with `overloaded`, `rate_limit_exceeded` or `insufficient_quota`, holding nothing.
 */
export async function admit(request: ReceivedRequest, key: ApiKeyRecord, ask: Ask, shown: AnswerHeaders, deps: GatewayDeps): Promise<Admission> {
  const price = priceOf(ask, request, deps);
  const permit = enter(ask.hints.priority, deps);
  const held = [() => permit.release()];
  const leave = (): void => {
    for (const giveBack of held.splice(0)) giveBack();
  };
  try {
    const rate = await limitRate(ask, key, shown, deps);
    held.push(() => rate.release(deps.clock.now()));
    const { hold, ask: affordable } = await placeHold(ask, key, request, price, deps);
    shown.outputTokensMax = affordable === ask ? null : affordable.outputTokensMax;
    // One that came to an attempt was settled.
    held.push(() => (hold.isOpen ? deps.spending.void(hold) : undefined));
    return { price, rate, hold, ask: affordable, leave };
  } catch (refusal) {
    leave();
    throw refusal;
  }
}

function enter(priority: Priority, deps: Pick<GatewayDeps, 'inFlight' | 'overload' | 'journal' | 'isDraining' | 'rng' | 'metrics'>): InFlightPermit {
  if (deps.isDraining()) {
    throw new MeridianError('overloaded', { message: 'This gateway is shutting down; try again.', retryAfterMs: 1000 });
  }
  if (!deps.journal.healthy) {
    throw new MeridianError('overloaded', { message: 'Usage cannot be recorded now; try again shortly.', retryAfterMs: 5000 });
  }
  if (deps.overload.refuses(priority, deps.inFlight.share)) {
    deps.metrics.shed(priority);
    throw tooBusy(deps);
  }
  return deps.inFlight.enter();
}

/** Who was refused together does not come back together. */
export function tooBusy({ rng }: Pick<GatewayDeps, 'rng'>): MeridianError {
  return new MeridianError('overloaded', { message: 'This gateway has too much to do; try again shortly.', retryAfterMs: 1_000 + 2_000 * rng.next() });
}
