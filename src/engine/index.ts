export { continuationOf, type ContinuationSetting } from './continuation-of.ts';
export type { EngineAdapter, EngineInfo, EngineLoad, InFlightCount } from './engine-adapter.ts';
export { EngineAttempt, type EngineAttemptDeps, type EngineAttemptEnd } from './engine-attempt.ts';
export { EngineClient, EngineStatusError, isRefused } from './engine-client.ts';
export { openaiAdapter } from './openai.ts';
export { Canary, CANARY_DEFAULTS, type CanaryOptions } from './canary.ts';
export { sglangAdapter } from './sglang.ts';
