export { startDistanceProxy, type DistanceProxy, type DistanceProxyOptions } from './distance-proxy.ts';
export { type AttemptRecord } from './attempt-log.ts';
export { runSimEngine, startSimEngine, type SimEngine, type SimEngineOptions } from './engine-command.ts';
export { DEEPSEEK_V3_NODE, decodeStepMs, type EngineModelConfig } from './engine-config.ts';
export { EngineModel } from './engine-model.ts';
export { type EngineJob, type EngineRun } from './engine-run.ts';
export { NO_FAULTS, readFaults, type RequestFault, type RequestFaultKind } from './faults.ts';
export { pageKeys } from './page-keys.ts';
