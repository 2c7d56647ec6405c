import { randomFillSync } from 'node:crypto';

/** Chance as an argument, so that a run can be replayed from its seed. */
export interface Rng {
  /** Uniform in [0, 1). */
  next(): number;
}

/** A seeded generator (mulberry32 by Tommy Ettinger: 32 bits of state, passes gjrand's small tests). Not for secrets. */
export function seededRng(seed: number): Rng {
  let state = seed >>> 0;
  return {
    next() {
      state = (state + 0x6d2b79f5) >>> 0;
      let z = state;
      z = Math.imul(z ^ (z >>> 15), z | 1);
      z ^= z + Math.imul(z ^ (z >>> 7), z | 61);
      return ((z ^ (z >>> 14)) >>> 0) / 4_294_967_296;
    },
  };
}

/** Seeded once from the system's entropy: for jitter, near-ties and exploration, not for secrets. */
export function systemRng(): Rng {
  return seededRng(randomFillSync(new Uint32Array(1))[0] ?? 0);
}
