import type { AttemptRecord, UsageSource } from '../billing/index.ts';
import { addUsage, NO_USAGE, type Usage } from '../openai/index.ts';
import type { Continued } from './context.ts';

export interface Charged {
  readonly usage: Usage;
  readonly source: UsageSource;
  readonly estimated: boolean;
  /** The attempt whose count it is; null when nothing is charged, or an answer in two parts. */
  readonly chargedAttempt: string | null;
}

const NOTHING: Charged = { usage: NO_USAGE, source: 'none', estimated: false, chargedAttempt: null };

/**
 * What the customer pays for: the last attempt, if it made anything that counts. An answer that went on elsewhere is charged
 * once: its prompt as the first attempt counted it, and the tokens that were delivered of each part.
 */
export function chargedUsage(last: AttemptRecord | undefined, continued: Pick<Continued, 'usage' | 'source' | 'attempt'> | null): Charged {
  const rest = last === undefined || last.id === continued?.attempt ? NOTHING : ofAttempt(last);
  if (continued === null) return rest;
  const { usage, source } = continued;
  if (rest.source === 'none') return { usage, source, estimated: source === 'gateway', chargedAttempt: null };
  const isEstimated = source === 'gateway' || rest.estimated;
  return { usage: addUsage(usage, rest.usage), source: isEstimated ? 'gateway' : rest.source, estimated: isEstimated, chargedAttempt: null };
}

/** One that failed before its first token costs the customer nothing; a client that left pays for what was begun. */
function ofAttempt({ id, outcome, ttftMs, usage, source }: AttemptRecord): Charged {
  if (outcome === 'failed' && ttftMs === null) return NOTHING;
  // Nobody has counted yet; its node may, later.
  if (usage === null) return { ...NOTHING, chargedAttempt: id };
  return { usage, source, estimated: source === 'gateway', chargedAttempt: id };
}
