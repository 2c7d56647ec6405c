import type { InFlightPermit } from '../../admission/index.ts';
import { MeridianError } from '../../core/index.ts';
import type { GatewayDeps } from '../deps.ts';

/** Decides whether the request may enter now. Throws `overloaded`; the permit must be released exactly once. */
export function admit(deps: Pick<GatewayDeps, 'inFlight' | 'journal' | 'isDraining'>): InFlightPermit {
  if (deps.isDraining()) {
    throw new MeridianError('overloaded', { message: 'This gateway is shutting down; try again.', retryAfterMs: 1000 });
  }
  if (!deps.journal.healthy) {
    throw new MeridianError('overloaded', { message: 'Usage cannot be recorded now; try again shortly.', retryAfterMs: 5000 });
  }
  return deps.inFlight.enter();
}
