import type { LoadMessage } from '../link/index.ts';
import type { EngineLoad } from '../engine/index.ts';

export interface LoadRate {
  readonly loadMsMin: number;
  readonly loadMsMax: number;
}

/** Smallest changes worth a report of their own; larger figures must also change by a tenth. */
const REQUESTS_STEP = 2;
const WAITING_TOKENS_STEP = 1_024;
const KV_TOKENS_STEP = 8_192;
const SHARE = 0.1;

/** How long until the engine is asked again. */
export function nextAskMs(rate: LoadRate, isBusy: boolean): number {
  return isBusy ? rate.loadMsMin : Math.max(rate.loadMsMin, rate.loadMsMax - rate.loadMsMin);
}

/**
 * Whether a load deserves a report now: when much changed, or when the next answer would be too late for one. The least
 * time between two reports is kept by the engine not being asked more often.
 */
export function isReportDue(load: EngineLoad, sent: EngineLoad | null, sinceSentMs: number, rate: LoadRate, isBusy: boolean): boolean {
  if (sent === null) return true;
  if (sinceSentMs + nextAskMs(rate, isBusy) > rate.loadMsMax) return true;
  return isMuchChanged(sent, load);
}

export function isMuchChanged(before: EngineLoad, after: EngineLoad): boolean {
  return (
    isStep(before.running, after.running, REQUESTS_STEP) ||
    isStep(before.queued, after.queued, REQUESTS_STEP) ||
    (before.queued === 0) !== (after.queued === 0) ||
    isStep(before.queuedUncachedTokens, after.queuedUncachedTokens, WAITING_TOKENS_STEP) ||
    isStep(before.kvTokensUsed, after.kvTokensUsed, KV_TOKENS_STEP)
  );
}

function isStep(before: number | null, after: number | null, least: number): boolean {
  if (before === null || after === null) return before !== after;
  return Math.abs(after - before) >= Math.max(least, SHARE * Math.max(before, after));
}

/** `load` as the link carries it. */
export function loadMessage(
  load: EngineLoad,
  about: { readonly replica: string; readonly seq: number; readonly ageMs: number; readonly seenStream: number },
): LoadMessage {
  const { rank: _, ...figures } = load;
  return { type: 'load', ...about, ...figures };
}
