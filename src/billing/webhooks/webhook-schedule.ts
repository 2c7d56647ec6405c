import { HOUR_MS, MINUTE_MS, SECOND_MS, type Rng } from '../../core/index.ts';

const JITTER = 0.2;

/** How long to wait after the first failed attempt, the second, and so on. */
const RETRY_AFTER_MS: readonly number[] = [
  5 * SECOND_MS,
  5 * MINUTE_MS,
  30 * MINUTE_MS,
  2 * HOUR_MS,
  5 * HOUR_MS,
  10 * HOUR_MS,
  14 * HOUR_MS,
  20 * HOUR_MS,
  24 * HOUR_MS,
];

/** The delay after `failures` failed attempts, give or take a fifth; null: there is no further attempt. */
export function retryDelayMs(failures: number, rng: Rng): number | null {
  const delayMs = RETRY_AFTER_MS[failures - 1];
  return delayMs === undefined ? null : Math.round(delayMs * (1 + JITTER * (2 * rng.next() - 1)));
}
