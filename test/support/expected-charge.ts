import { asUsage, type EngineTruth, type ShownRecord } from './usage-truth.ts';

type Truth = ReadonlyMap<string, EngineTruth>;
type Charge = ReturnType<typeof asUsage>;

/** What the customer must be charged for a request, by what the engines say they made for its attempts. */
export function expectedCharge(record: ShownRecord, truth: Truth): Charge {
  const made = bothParts(record, truth);
  const { completion_tokens: charged } = record.usage;
  const isFewer = isCutByDeadline(record, truth) && charged > 0 && charged < made.completion_tokens;
  return isFewer ? { ...made, completion_tokens: charged } : made;
}

/** One prompt, and the tokens of both parts of an answer that went on elsewhere. */
function bothParts({ attempts, charged_attempt: charged }: ShownRecord, truth: Truth): Charge {
  // Of attempts that raced, or of which one failed, the one that answered may have ended first.
  const second = attempts.filter(({ resumed_tokens: tokens }) => tokens > 0);
  const last = attempts.find(({ id }) => id === charged) ?? second.find(({ ttft_ms: ttftMs }) => ttftMs !== null) ?? attempts.at(-1);
  const delivered = last?.resumed_tokens ?? 0;
  if (delivered === 0) return chargeable(last, truth);
  const first = chargeable(attempts.findLast(({ resumed_tokens: tokens, ttft_ms: ttftMs }) => tokens === 0 && ttftMs !== null), truth);
  // A client that left before the second part had come has nothing of it.
  const rest = last?.ttft_ms == null ? 0 : chargeable(last, truth).completion_tokens;
  return { ...first, completion_tokens: delivered + rest };
}

/** What the attempt made, by its engine; nothing for one that is not charged. */
function chargeable(attempt: ShownRecord['attempts'][number] | undefined, truth: Truth): Charge {
  const told = truth.get(String(attempt?.id));
  // What broke off before its first token is the operator's loss, and so is what broke off untold as the client left.
  const isUntold = attempt?.outcome === 'aborted' && attempt.usage === null && told?.outcome === 'failed';
  const isFree = isUntold || (attempt?.outcome === 'failed' && attempt.ttft_ms === null);
  return asUsage(isFree ? undefined : told);
}

/** An answer that its deadline cut while it flowed is charged as delivered: what the engine made until it obeyed is the operator's loss. */
function isCutByDeadline({ attempts }: ShownRecord, truth: Truth): boolean {
  const last = attempts.at(-1);
  return last?.error_code === 'upstream_timeout' && last.ttft_ms !== null && truth.get(last.id)?.outcome === 'aborted';
}
