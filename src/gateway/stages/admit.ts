import type { InFlightPermit } from '../../admission/index.ts';
import { MeridianError, type Priority } from '../../core/index.ts';
import type { GatewayDeps } from '../deps.ts';

type AdmitDeps = Pick<GatewayDeps, 'inFlight' | 'overload' | 'journal' | 'isDraining' | 'rng' | 'metrics'>;

/** Decides whether a request of this class may enter now. Throws `overloaded`; the permit must be released exactly once. */
export function admit(priority: Priority, deps: AdmitDeps): InFlightPermit {
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
