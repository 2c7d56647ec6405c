import type { AttemptStream } from './attempt-stream.ts';
import type { UsageSource } from '../billing/index.ts';
import type { Settlement, Usage } from '../openai/index.ts';

/** What an attempt made, and who says so. */
export interface AttemptCount {
  /** Null when nobody knows. */
  readonly usage: Usage | null;
  readonly source: UsageSource;
  /** The running count, kept beside the final report so that a difference shows. */
  readonly counted: Usage | null;
}

export const UNCOUNTED: AttemptCount = { usage: null, source: 'none', counted: null };

/**
 * The best count there is, in this order: the engine's final report; the node's running count, from its settlement or else
 * as it came along with the bytes; our own count of the frames that came, as an estimate, and only if any came.
 */
export function attemptCount(
  settlement: Settlement | null,
  { counted: seen, frames }: Pick<AttemptStream, 'counted' | 'frames'>,
  promptTokensEstimate: number,
): AttemptCount {
  const counted = settlement?.counted ?? seen;
  if (settlement?.usage != null) return { usage: settlement.usage, source: 'engine', counted };
  if (counted !== null) return { usage: counted, source: 'node', counted };
  const tokens = Math.max(frames, settlement?.frames ?? 0);
  if (tokens === 0) return UNCOUNTED;
  const usage = { promptTokens: promptTokensEstimate, cachedTokens: 0, completionTokens: tokens, reasoningTokens: 0 };
  return { usage, source: 'gateway', counted: null };
}
