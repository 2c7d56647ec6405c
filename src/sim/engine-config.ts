/** Every figure of the engine model. Durations are in model milliseconds, amounts in tokens. */
export interface EngineModelConfig {
  /** Uncached prompt tokens prefilled per second. */
  readonly prefillTokensPerSecond: number;
  /** Prompt tokens that one step prefills at most, over all requests. */
  readonly chunkTokens: number;
  /** Decode step time by batch size, ascending by batch; linear between the points and beyond the last two. */
  readonly decodeStep: readonly DecodePoint[];
  /** Size of the KV pool. */
  readonly kvTokens: number;
  readonly pageTokens: number;
  readonly maxRunningRequests: number;
  /** Requests that may wait; one more is refused. */
  readonly maxQueuedRequests: number;
  /** Prompt and answer together. */
  readonly contextTokens: number;
  /** Whether waiting requests are ordered by priority (higher first); otherwise first come, first served. */
  readonly priorityScheduling: boolean;
}

export interface DecodePoint {
  readonly batch: number;
  readonly stepMs: number;
}

/** DeepSeek-V3 in FP8 on one 8×H200 node, tensor parallel over its 8 GPUs, served by SGLang. */
export const DEEPSEEK_V3_NODE: EngineModelConfig = {
  prefillTokensPerSecond: 9_000,
  chunkTokens: 8_192,
  decodeStep: [
    { batch: 1, stepMs: 18 },
    { batch: 64, stepMs: 45 },
  ],
  kvTokens: 512 * 1_024,
  pageTokens: 64,
  maxRunningRequests: 256,
  maxQueuedRequests: 1_024,
  contextTokens: 163_840,
  priorityScheduling: false,
};

/** Time of one decode step for `batch` requests. */
export function decodeStepMs(points: readonly DecodePoint[], batch: number): number {
  let low = points[0];
  if (low === undefined || batch === 0) return 0;
  let high = low;
  for (const point of points) {
    if (point === low) continue;
    if (high !== low) low = high;
    high = point;
    if (batch <= point.batch) break;
  }
  if (high === low) return low.stepMs;
  const slope = (high.stepMs - low.stepMs) / (high.batch - low.batch);
  return Math.max(0, low.stepMs + (batch - low.batch) * slope);
}

/** All faults of a configuration, as sentences; empty when it can be used. */
export function configFaults(config: EngineModelConfig): string[] {
  const faults: string[] = [];
  for (const [name, value] of Object.entries(config)) {
    if (typeof value === 'number' && !(Number.isFinite(value) && value > 0) && !(name === 'maxQueuedRequests' && value === 0)) {
      faults.push(`${name} must be a positive number, not ${value}`);
    }
  }
  if (config.decodeStep.length === 0) faults.push('decodeStep needs at least one point');
  for (let i = 0; i < config.decodeStep.length; i += 1) {
    const point = config.decodeStep[i];
    const before = config.decodeStep[i - 1];
    if (point === undefined) continue;
    if (!(point.stepMs > 0)) faults.push(`decodeStep[${i}].stepMs must be positive`);
    if (!(point.batch >= 1) || (before !== undefined && point.batch <= before.batch)) {
      faults.push(`decodeStep[${i}].batch must be at least 1 and greater than the one before`);
    }
  }
  return faults;
}
