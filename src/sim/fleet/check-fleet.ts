import type { FleetPlan } from './fleet-plan.ts';
import type { FleetRecord } from './fleet-record.ts';
import type { SimGateway } from './sim-gateway.ts';
import type { SimNode } from './sim-node.ts';

const TOLD_MAX = 10;

/** What must hold after every run: each request ended once, nothing is left over, no bound was passed, no data left its regions. */
export function checkFleet(
  records: readonly FleetRecord[],
  gateways: readonly SimGateway[],
  nodes: readonly SimNode[],
  plan: FleetPlan,
): string[] {
  const violations: string[] = [];
  const lost = records.filter(({ end }) => end === null);
  for (const { request } of lost.slice(0, TOLD_MAX)) violations.push(`request ${request.index} never ended`);
  if (lost.length > TOLD_MAX) violations.push(`${lost.length} requests never ended`);
  for (const record of records) {
    const { regions, index } = record.request;
    if (regions !== null && record.region !== '' && !regions.includes(record.region)) {
      violations.push(`request ${index} may be served in ${regions.join(', ')} only, and was served in ${record.region}`);
    }
    if (record.end === 'completed' && (record.chargedPrompts !== 1 || record.chargedTokens !== record.completionTokens)) {
      violations.push(`request ${index} was charged ${record.chargedPrompts} prompts and ${record.chargedTokens} tokens for ${record.completionTokens}`);
    }
    if (record.end === 'completed' && record.completionTokens !== record.request.outputTokens) {
      violations.push(`request ${index} got ${record.completionTokens} tokens of ${record.request.outputTokens}`);
    }
  }
  for (const gateway of gateways) {
    const { waiting, inFlight } = gateway.leftovers();
    if (lost.length === 0 && waiting + inFlight > 0) {
      violations.push(`the gateway in ${gateway.region} is left with ${waiting} requests that wait and ${inFlight} permits`);
    }
  }
  for (const { replica, engine } of nodes) {
    const { reservedTokens, cachedTokens, maxTokens, waitingRequests } = engine.load();
    if (cachedTokens > maxTokens || reservedTokens > maxTokens) violations.push(`the KV cache of ${replica.id} is over its capacity`);
    if (waitingRequests > plan.engine.maxQueuedRequests) violations.push(`the queue of ${replica.id} is over its bound`);
  }
  return violations;
}
