import type { RequestPrice } from '../billing/index.ts';
import { MeridianError } from '../core/index.ts';
import type { Ask, ReceivedRequest } from './context.ts';
import type { GatewayDeps } from './deps.ts';

const RETRY_MS = 60_000;

/** The price that holds at admission, and for this request for ever. Throws `overloaded` when the book has none: what cannot be charged is not served. */
export function priceOf({ model, hints }: Ask, { admittedAtMs }: ReceivedRequest, { prices, models }: Pick<GatewayDeps, 'prices' | 'models'>): RequestPrice | null {
  if (models.get(model)?.isFree === true) return null;
  const price = prices.at(model, hints.priority, admittedAtMs);
  if (price !== null) return price;
  throw new MeridianError('overloaded', { message: `The model '${model}' has no price at this time; its operator must set one.`, retryAfterMs: RETRY_MS });
}
