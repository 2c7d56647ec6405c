import { inOrder, runFleet, type FleetRecord, type FleetRequest, type Workload } from '../../src/sim/index.ts';
import type { Goal } from '../goal.ts';
import { percentile } from '../statistics.ts';
import { benchPlan, benchWorkload, loadedTo, type BenchSetting } from './cell.ts';
import { POLICIES } from './policies/index.ts';

export interface ScenarioResult {
  readonly name: string;
  readonly goals: readonly Goal[];
  readonly violations: readonly string[];
}

const MINUTE_MS = 60_000;

/** What Meridian promises beyond the table of loads. */
export const SCENARIOS = { 'region-loss': regionLoss, flood, residency };

export type ScenarioName = keyof typeof SCENARIOS;

function meridian() {
  const found = POLICIES.find(({ name }) => name === 'meridian');
  if (found === undefined) throw new Error('meridian must be among the policies');
  return found;
}

/** A region falls silent for two minutes at a load of 0.6. */
function regionLoss(setting: BenchSetting): ScenarioResult {
  const plan = benchPlan(setting, 0);
  const workload = loadedTo(0.6, benchWorkload(setting), plan);
  const lost = plan.regions.at(-1)?.name ?? '';
  const fromMs = (workload.requests.at(-1)?.arrivalMs ?? 0) / 3;
  const toMs = fromMs + 2 * MINUTE_MS;
  const { records, violations } = runFleet({
    plan,
    workload,
    mind: meridian(),
    seed: setting.seed,
    faults: [{ kind: 'region-lost', region: lost, fromMs, toMs }],
  });
  const arrived = (from: number, to: number): FleetRecord[] => records.filter(({ request }) => request.arrivalMs >= from && request.arrivalMs < to);
  const served = (of: readonly FleetRecord[]): number => of.filter(({ end }) => end === 'completed').length / of.length;
  const before = arrived(fromMs - 3 * MINUTE_MS, fromMs - MINUTE_MS);
  const during = arrived(fromMs + 3_000, toMs);
  const after = arrived(toMs, toMs + MINUTE_MS);
  const late = arrived(toMs + 2 * MINUTE_MS, toMs + 6 * MINUTE_MS);
  const ratio = served(during) / served(before);
  const step = meanTtft(after) / Math.max(meanTtft(before), meanTtft(late), meanTtft(during));
  return {
    name: 'region-loss',
    violations,
    goals: [
      { what: `${lost} lost at load 0.6: answered from 3 s on, against before`, bound: '≥ 0.95', reached: ratio.toFixed(3), isMet: ratio >= 0.95 },
      { what: `${lost} returns: mean TTFT of the next minute against the highest of before, during and later`, bound: '≤ 1.1', reached: step.toFixed(2), isMet: step <= 1.1 },
    ],
  };
}

/** One organisation of many sends a hundred times its share at a load of 0.5. */
function flood(setting: BenchSetting): ScenarioResult {
  const plan = benchPlan(setting, 0);
  const calm = loadedTo(0.5, benchWorkload(setting), plan);
  const flooding = 'org-1';
  const run = (workload: Workload) => runFleet({ plan, workload, mind: meridian(), seed: setting.seed });
  const [quiet, flooded] = [run(calm), run(withFlood(calm, flooding, 100))];
  const p99 = (records: readonly FleetRecord[]): number =>
    percentile(records.flatMap(({ request, ttftMs }) => (request.organization === flooding || Number.isNaN(ttftMs) ? [] : [ttftMs])), 0.99);
  const others = flooded.records.filter(({ request }) => request.organization !== flooding);
  const answered = others.filter(({ end }) => end === 'completed').length / others.length;
  const ratio = p99(flooded.records) / p99(quiet.records);
  return {
    name: 'flood',
    violations: [...quiet.violations, ...flooded.violations],
    goals: [
      { what: 'one organisation sends 100 × its share: p99 TTFT of the others against without', bound: '≤ 1.25', reached: ratio.toFixed(2), isMet: ratio <= 1.25 },
      { what: 'one organisation sends 100 × its share: others answered', bound: '≥ 0.999', reached: answered.toFixed(4), isMet: answered >= 0.999 },
    ],
  };
}

/** The same arrivals, with those of one organisation for a tenth of the time so many times, each copy with a prompt of its own. */
function withFlood(workload: Workload, organization: string, times: number): Workload {
  const endMs = workload.requests.at(-1)?.arrivalMs ?? 0;
  const [fromMs, toMs] = [endMs * 0.4, endMs * 0.5];
  const found = workload.requests.flatMap((request, i) => {
    const home = workload.homes[i] ?? '';
    const isFlooding = request.organization === organization && request.arrivalMs >= fromMs && request.arrivalMs < toMs;
    if (!isFlooding) return [{ request, home }];
    return Array.from({ length: times }, (_, copy) => ({ request: copy === 0 ? request : copied(request, copy), home }));
  });
  return inOrder(workload.about, found);
}

function copied(request: FleetRequest, copy: number): FleetRequest {
  const own = (chain: Uint32Array): Uint32Array => chain.map((word, i) => (i % 2 === 0 ? (word ^ Math.imul(copy, 0x9e3779b1)) >>> 0 : word));
  return {
    ...request,
    arrivalMs: request.arrivalMs + copy * 37,
    session: `${request.session}-${copy}`,
    chain: own(request.chain),
    answeredChain: own(request.answeredChain),
  };
}

/** Three in ten sessions may be served at home only, in an overloaded fleet. */
function residency(setting: BenchSetting): ScenarioResult {
  const plan = benchPlan(setting, 0);
  const calm = loadedTo(1, benchWorkload(setting), plan);
  const isBound = ({ session }: FleetRequest): boolean => session.length > 0 && (session.codePointAt(session.length - 1) ?? 0) % 10 < 3;
  const workload = { ...calm, requests: calm.requests.map((request, i) => (isBound(request) ? { ...request, regions: [calm.homes[i] ?? ''] } : request)) };
  const { records, violations } = runFleet({ plan, workload, mind: meridian(), seed: setting.seed });
  const bound = records.filter(({ request }) => request.regions !== null);
  const away = bound.filter(({ request, region }) => region !== '' && request.regions?.includes(region) !== true).length;
  return {
    name: 'residency',
    violations,
    goals: [{ what: `of ${bound.length} requests bound to their region, served elsewhere at load 1`, bound: '0', reached: String(away), isMet: away === 0 }],
  };
}

function meanTtft(records: readonly FleetRecord[]): number {
  const served = records.filter(({ ttftMs }) => !Number.isNaN(ttftMs));
  return served.reduce((sum, { ttftMs }) => sum + ttftMs, 0) / served.length;
}
