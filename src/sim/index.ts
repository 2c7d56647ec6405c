export { startDistanceProxy, type DistanceProxy, type DistanceProxyOptions } from './distance-proxy.ts';
export { type AttemptRecord } from './attempt-log.ts';
export { runSimEngine, startSimEngine, type SimEngine, type SimEngineOptions } from './engine-command.ts';
export { DEEPSEEK_V3_NODE, decodeStepMs, type EngineModelConfig } from './engine-config.ts';
export { EngineModel } from './engine-model.ts';
export { type EngineJob, type EngineRun } from './engine-run.ts';
export { NO_FAULTS, readFaults, type RequestFault, type RequestFaultKind } from './faults.ts';
export { pageKeys } from './page-keys.ts';
export { compressed, compression, demandOf } from './fleet/capacity.ts';
export { BLOCK_TOKENS, fleetPlan, type FleetPlan } from './fleet/fleet-plan.ts';
export { randomFaults } from './fleet/fleet-faults.ts';
export type { FleetRecord } from './fleet/fleet-record.ts';
export type {
  FleetAttempt,
  FleetLoad,
  FleetOutcome,
  FleetReplica,
  FleetRequest,
  GatewayMind,
  GatewayWorld,
  MindFactory,
} from './fleet/gateway-mind.ts';
export { meridian } from './fleet/meridian-mind.ts';
export { meridianOptions } from './fleet/meridian-options.ts';
export { runFleet } from './fleet/run-fleet.ts';
export { summarize, type FleetSummary } from './fleet/summarize.ts';
export { chained, CONVERSATIONS, conversations, inOrder, type Workload } from './fleet/workload.ts';
