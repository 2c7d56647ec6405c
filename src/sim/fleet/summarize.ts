import type { FleetRecord } from './fleet-record.ts';

/** What a run came to. Times in milliseconds, shares from 0 to 1; NaN where nothing was counted. */
export interface FleetSummary {
  readonly requests: number;
  readonly completed: number;
  readonly refused: number;
  readonly failed: number;
  readonly cut: number;
  readonly ttftMeanMs: number;
  readonly ttftP50Ms: number;
  readonly ttftP90Ms: number;
  readonly ttftP99Ms: number;
  /** Of all requests, those whose first token came within the objective. */
  readonly withinObjective: number;
  /** Of prompt tokens that were served. */
  readonly cacheHitRate: number;
  /** Of served requests, those served outside their home region. */
  readonly crossRegionShare: number;
  readonly outputTokensPerS: number;
  /** Requests per second that were completed and whose first token came within the objective. */
  readonly goodputPerS: number;
}

const TTFT_OBJECTIVE_MS = 2_000;

export function summarize(records: readonly FleetRecord[]): FleetSummary {
  const served = records.filter(({ ttftMs }) => !Number.isNaN(ttftMs));
  const completed = records.filter(({ end }) => end === 'completed');
  const count = (end: FleetRecord['end']): number => records.filter((record) => record.end === end).length;
  const ttfts = served.map(({ ttftMs }) => ttftMs).sort((a, b) => a - b);
  const good = completed.filter(({ ttftMs }) => ttftMs <= TTFT_OBJECTIVE_MS).length;
  const promptTokens = sum(completed, ({ request }) => request.promptTokens);
  const spanS = (Math.max(...completed.map(({ endedMs }) => endedMs), 1) - (records[0]?.request.arrivalMs ?? 0)) / 1_000;
  return {
    requests: records.length,
    completed: completed.length,
    refused: count('refused'),
    failed: count('failed'),
    cut: count('cut'),
    ttftMeanMs: sum(ttfts, (ttft) => ttft) / ttfts.length,
    ttftP50Ms: quantile(ttfts, 0.5),
    ttftP90Ms: quantile(ttfts, 0.9),
    ttftP99Ms: quantile(ttfts, 0.99),
    withinObjective: good / records.length,
    cacheHitRate: sum(completed, ({ cachedTokens }) => cachedTokens) / promptTokens,
    crossRegionShare: served.filter(({ region, homeRegion }) => region !== homeRegion).length / served.length,
    outputTokensPerS: sum(completed, ({ completionTokens }) => completionTokens) / spanS,
    goodputPerS: good / spanS,
  };
}

function sum<T>(values: readonly T[], of: (value: T) => number): number {
  let total = 0;
  for (const value of values) total += of(value);
  return total;
}

/** The value below which the share `p` of the sorted values lies; NaN of none. */
function quantile(sorted: readonly number[], p: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * p))] ?? Number.NaN;
}
