import { seededRng } from '../../core/index.ts';
import { EventQueue } from './event-queue.ts';
import { checkFleet } from './check-fleet.ts';
import type { FleetFault } from './fleet-faults.ts';
import type { FleetPlan } from './fleet-plan.ts';
import { newRecord, type FleetRecord } from './fleet-record.ts';
import type { FleetReplica, MindFactory } from './gateway-mind.ts';
import { SimGateway } from './sim-gateway.ts';
import { SimNode } from './sim-node.ts';
import type { Workload } from './workload.ts';

export interface FleetRun {
  readonly plan: FleetPlan;
  readonly workload: Workload;
  readonly mind: MindFactory;
  readonly seed: number;
  readonly faults?: readonly FleetFault[];
  /** Called now and then with the share that is done, 0 to 1. */
  readonly onProgress?: (share: number) => void;
}

export interface FleetResult {
  /** In the order of the workload. */
  readonly records: readonly FleetRecord[];
  /** Virtual time at which the last request ended. */
  readonly endedMs: number;
  readonly events: number;
  /** What a checker found wrong; empty when all is well. */
  readonly violations: readonly string[];
}

const PROGRESS_EVERY = 50_000;
/** A request that has not ended this long after the last arrival is lost. */
const LOST_AFTER_MS = 4 * 3_600_000;

/** Runs a workload through a simulated fleet in virtual time. The same arguments give the same result. */
export function runFleet({ plan, workload, mind, seed, faults = [], onProgress }: FleetRun): FleetResult {
  const events = new EventQueue();
  const nodes = nodesOf(plan, events);
  let ended = 0;
  const gateways = plan.regions
    .filter(({ hasGateway }) => hasGateway)
    .map(({ name }, i) => new SimGateway(name, plan, events, seededRng(seed * 1_000 + i), mind, () => (ended += 1)));
  for (const gateway of gateways) for (const node of nodes) gateway.link(node);
  const records = workload.requests.map((request, i) => newRecord(request, workload.homes[i] ?? ''));
  scheduleArrivals(records, gateways, events);
  for (const fault of faults) scheduleFault(fault, nodes, gateways, plan, events);
  const lastMs = workload.requests.at(-1)?.arrivalMs ?? 0;
  let count = 0;
  while (ended < records.length && events.nowMs < lastMs + LOST_AFTER_MS && events.step()) {
    count += 1;
    if (count % PROGRESS_EVERY === 0) onProgress?.(Math.min(1, events.nowMs / Math.max(1, lastMs)));
  }
  return { records, endedMs: events.nowMs, events: count, violations: checkFleet(records, gateways, nodes, plan) };
}

function nodesOf(plan: FleetPlan, events: EventQueue): SimNode[] {
  const { kvTokens, contextTokens, maxRunningRequests } = plan.engine;
  return plan.regions.flatMap(({ name, replicas }) =>
    Array.from({ length: replicas }, (_, i) => {
      const id = `${name}-${i + 1}`;
      const replica: FleetReplica = { id, node: id, region: name, kvTokens, contextTokens, runningMax: maxRunningRequests };
      return new SimNode(replica, plan, events);
    }),
  );
}

/** One event at a time, so that the queue stays small. */
function scheduleArrivals(records: readonly FleetRecord[], gateways: readonly SimGateway[], events: EventQueue): void {
  const byRegion = new Map(gateways.map((gateway) => [gateway.region, gateway]));
  let next = 0;
  const arrive = (): void => {
    const record = records[next];
    if (record === undefined) return;
    next += 1;
    const gateway = byRegion.get(record.homeRegion) ?? gateways[0];
    const following = records[next];
    if (following !== undefined) events.at(following.request.arrivalMs, arrive);
    gateway?.arrive(record);
  };
  const [first] = records;
  if (first !== undefined) events.at(first.request.arrivalMs, arrive);
}

function scheduleFault(
  fault: FleetFault,
  nodes: readonly SimNode[],
  gateways: readonly SimGateway[],
  plan: FleetPlan,
  events: EventQueue,
): void {
  const hit = fault.kind === 'region-lost' ? nodes.filter(({ replica }) => replica.region === fault.region) : nodes.filter((_, i) => i === fault.replica);
  const unlink = (): void => {
    for (const gateway of gateways) for (const node of hit) gateway.unlink(node);
  };
  const relink = (): void => {
    for (const node of hit) for (const gateway of gateways) gateway.link(node);
  };
  const restart = (): void => {
    for (const node of hit) node.restart();
    relink();
  };
  switch (fault.kind) {
    case 'region-lost':
    case 'replica-killed': {
      const silenceMs = fault.kind === 'region-lost' ? plan.deadMs : 0;
      events.at(fault.fromMs, () => {
        for (const node of hit) node.kill();
        events.after(silenceMs, unlink);
      });
      events.at(Math.max(fault.toMs, fault.fromMs + silenceMs), restart);
      return;
    }
    case 'slow':
      events.at(fault.fromMs, () => hit[0]?.slow(fault.factor));
      events.at(fault.toMs, () => hit[0]?.slow(1));
      return;
    case 'stalled':
      events.at(fault.fromMs, () => hit[0]?.stall(true));
      events.at(fault.toMs, () => hit[0]?.stall(false));
      return;
    case 'link-cut':
      events.at(fault.fromMs, unlink);
      events.at(fault.toMs, relink);
      return;
    case 'frozen-load':
      events.at(fault.fromMs, () => hit[0]?.freeze(true));
      events.at(fault.toMs, () => hit[0]?.freeze(false));
  }
}
