import { compressed, compression, demandOf, fleetPlan, runFleet, summarize, type FleetPlan, type FleetSummary, type Workload } from '../../src/sim/index.ts';
import { loadWorkload } from './load-workload.ts';
import { POLICIES } from './policies/index.ts';

/** What all cells of a bench have in common. */
export interface BenchSetting {
  readonly trace: string | null;
  readonly replicas: number;
  readonly regions: number;
  readonly gateways: number;
  readonly seed: number;
}

/** One policy under one load, with telemetry so late. */
export interface Cell {
  readonly policy: string;
  readonly load: number;
  readonly staleMs: number;
}

export interface CellResult extends Cell {
  readonly summary: FleetSummary;
  readonly violations: readonly string[];
}

/** A fleet as a bench has it: a gateway in each of the first `gateways` regions. */
export function benchPlan({ replicas, regions, gateways }: BenchSetting, telemetryDelayMs: number): FleetPlan {
  const plan = fleetPlan(replicas, regions, { telemetryDelayMs });
  return { ...plan, regions: plan.regions.map((region, i) => ({ ...region, hasGateway: i < gateways })) };
}

/** The workload of a bench at its own pace; requests come from the regions that have a gateway. */
export function benchWorkload(setting: BenchSetting): Workload {
  const homes = benchPlan(setting, 0).regions.filter(({ hasGateway }) => hasGateway);
  return loadWorkload(setting.trace, homes.map(({ name }) => name), setting.seed);
}

/** The workload drawn together so that it loads the fleet to `load`. */
export function loadedTo(load: number, workload: Workload, plan: FleetPlan): Workload {
  const replicas = plan.regions.reduce((sum, region) => sum + region.replicas, 0);
  return compressed(workload, compression(demandOf(workload, replicas, plan.engine), replicas, load));
}

export function runCell(setting: BenchSetting, workload: Workload, cell: Cell): CellResult {
  const mind = POLICIES.find(({ name }) => name === cell.policy);
  if (mind === undefined) throw new RangeError(`there is no policy '${cell.policy}'`);
  const plan = benchPlan(setting, cell.staleMs);
  const { records, violations } = runFleet({ plan, workload: loadedTo(cell.load, workload, plan), mind, seed: setting.seed });
  return { ...cell, summary: summarize(records), violations };
}
