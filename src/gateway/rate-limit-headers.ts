import { MINUTE_MS } from '../core/index.ts';
import type { LimitStanding, LimitView } from '../admission/index.ts';

/** The headers by which OpenAI's clients know how their limits stand: of the tightest one of each kind. */
export function rateLimitHeaders(limits: LimitView | null, now: number): Record<string, string> {
  if (limits === null) return {};
  return { ...headersOf('requests', limits.standing('requests', now)), ...headersOf('tokens', limits.standing('tokens', now)) };
}

function headersOf(name: string, standing: LimitStanding | null): Record<string, string> {
  if (standing === null) return {};
  return {
    [`x-ratelimit-limit-${name}`]: String(standing.max),
    [`x-ratelimit-remaining-${name}`]: String(standing.remaining),
    [`x-ratelimit-reset-${name}`]: duration(standing.resetMs),
  };
}

const SECOND_MS = 1_000;

/** As OpenAI writes it: 20ms, 1s, 6m0s. */
export function duration(ms: number): string {
  if (ms < SECOND_MS) return `${Math.ceil(ms)}ms`;
  if (ms < MINUTE_MS) return `${Math.ceil(ms / SECOND_MS)}s`;
  return `${Math.floor(ms / MINUTE_MS)}m${Math.ceil((ms % MINUTE_MS) / SECOND_MS)}s`;
}
