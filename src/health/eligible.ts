import type { Replica } from './replica.ts';

export interface EligibleOptions {
  /** At most this share of a pool, and at least one replica, is left out for what it did. */
  readonly ejectedShareMax: number;
  /** With a smaller share of all healthy, what one did is no reason to leave it out: the fault may be elsewhere. */
  readonly panicShare: number;
}

/** A replica as far as this decision needs it. */
type Judged = Pick<Replica, 'state' | 'isHealthy' | 'breaker'> & { readonly identity: Pick<Replica['identity'], 'region'> };

/**
 * Which of `replicas`, all of one model, may be tried. One that its node does not call ready is left out in any case. One
 * whose breaker is open, or that has fallen silent, is ejected from its pool (the replicas of its region), within the bounds
 * of `options`; those whose time ends first come back first.
 */
export function eligible<R extends Judged>(replicas: readonly R[], now: number, options: EligibleOptions): R[] {
  const ready = replicas.filter(({ state }) => state === 'ready');
  const healthy = ready.filter((replica) => replica.isHealthy(now));
  if (healthy.length === ready.length || healthy.length < ready.length * options.panicShare) return ready;
  return [...healthy, ...pools(ready).flatMap((pool) => readmitted(pool, now, options))];
}

function readmitted<R extends Judged>(pool: readonly R[], now: number, { ejectedShareMax }: EligibleOptions): R[] {
  const ejected = pool.filter((replica) => !replica.isHealthy(now));
  const most = Math.max(1, Math.floor(pool.length * ejectedShareMax));
  if (ejected.length <= most) return [];
  return ejected.sort((a, b) => openUntilMs(a) - openUntilMs(b)).slice(0, ejected.length - most);
}

function openUntilMs({ breaker: { state } }: Judged): number {
  return state.kind === 'open' ? state.untilMs : -Infinity;
}

function pools<R extends Judged>(replicas: readonly R[]): R[][] {
  return [...Map.groupBy(replicas, ({ identity }) => identity.region).values()];
}
