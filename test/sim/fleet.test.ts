import { describe, expect, test } from 'vitest';
import { gatewayDefaults } from '../../src/config/index.ts';
import {
  compressed,
  compression,
  CONVERSATIONS,
  conversations,
  demandOf,
  fleetPlan,
  meridian,
  meridianOptions,
  randomFaults,
  runFleet,
  summarize,
  type FleetPlan,
  type FleetRequest,
  type GatewayMind,
  type MindFactory,
  type Workload,
} from '../../src/sim/index.ts';

const OURS = meridian(meridianOptions(gatewayDefaults()));
const MINUTES = 8;

function workloadOf(plan: FleetPlan, load: number, seed = 1, boundShare = 0): Workload {
  const regions = plan.regions.map(({ name }) => name);
  const replicas = plan.regions.reduce((sum, region) => sum + region.replicas, 0);
  const calm = conversations({ ...CONVERSATIONS, seed, regions, boundShare, durationMs: MINUTES * 60_000, conversationsPerS: replicas / 10 });
  return compressed(calm, compression(demandOf(calm, replicas, plan.engine), replicas, load));
}

/** A policy like another one, but for what `change` makes of it. */
function changed(name: string, change: (mind: GatewayMind) => void): MindFactory {
  return {
    name,
    about: '',
    make(world) {
      const mind = OURS.make(world);
      change(mind);
      return mind;
    },
  };
}

describe('a simulated fleet', () => {
  const plan = fleetPlan(6, 3);

  test('gives the same result for the same seed, and another for another', () => {
    const run = (seed: number): unknown => summarize(runFleet({ plan, workload: workloadOf(plan, 0.7), mind: OURS, seed }).records);
    expect(run(3)).toEqual(run(3));
    expect(run(3)).not.toEqual(run(4));
  });

  test.each([1, 2, 3, 4, 5, 6])('loses no request and leaves nothing behind, whatever fails (seed %i)', (seed) => {
    const workload = workloadOf(plan, 0.9, seed, 0.2);
    const faults = randomFaults(10, plan, workload.requests.at(-1)?.arrivalMs ?? 0, seed);
    const { violations, records } = runFleet({ plan, workload, mind: OURS, seed, faults });
    expect(violations).toEqual([]);
    expect(summarize(records).completed).toBeGreaterThan(0.5 * records.length);
  });

  test('of one idle replica answers after network, prefill and one step', () => {
    const one = fleetPlan(1, 1);
    const [first] = workloadOf(one, 0.1).requests;
    if (first === undefined) throw new Error('there must be a request');
    const request: FleetRequest = { ...first, index: 0, arrivalMs: 5_000, promptTokens: 4_000, outputTokens: 10 };
    const workload = { about: '', requests: [request], homes: ['gcp-us-east4'] };
    const [record] = runFleet({ plan: one, workload, mind: OURS, seed: 1 }).records;
    const engineMs = (4_000 * 1_000) / one.engine.prefillTokensPerSecond + 18;
    expect(record?.ttftMs).toBeGreaterThan(engineMs + 1);
    expect(record?.ttftMs).toBeLessThan(engineMs + 2);
  });

  test('has its load reports and cache events as late as it is told', () => {
    const heard: number[] = [];
    const telemetryDelayMs = 700;
    const late = fleetPlan(2, 1, { telemetryDelayMs });
    const listening: MindFactory = {
      name: 'listening',
      about: '',
      make(world) {
        const mind = OURS.make(world);
        const load = mind.load.bind(mind);
        mind.load = (...args) => {
          heard.push(world.now());
          load(...args);
        };
        return mind;
      },
    };
    runFleet({ plan: late, workload: workloadOf(late, 0.3), mind: listening, seed: 1 });
    expect(Math.min(...heard)).toBeGreaterThanOrEqual(telemetryDelayMs);
  });

  test('a policy that loses a request is caught', () => {
    const losing = changed('losing', (mind) => {
      const arrived = mind.arrived.bind(mind);
      mind.arrived = (request) => {
        if (request.index !== 7) arrived(request);
      };
    });
    expect(runFleet({ plan, workload: workloadOf(plan, 0.3), mind: losing, seed: 1 }).violations).toContain('request 7 never ended');
  });

  test('a policy that keeps a permit is caught', () => {
    const keeping = changed('keeping', (mind) => {
      const ended = mind.ended.bind(mind);
      mind.ended = (attempt, outcome, isAnswering) => {
        if (attempt.request.index !== 7) ended(attempt, outcome, isAnswering);
      };
      // Its watch would find an answer that has come to nothing.
      mind.tick = () => {};
    });
    expect(runFleet({ plan, workload: workloadOf(plan, 0.3), mind: keeping, seed: 1 }).violations.join()).toContain('permits');
  });

  test('a policy that sends data out of its region is caught, and ours does not, however full that is', () => {
    const workload = workloadOf(plan, 1, 1, 0.5);
    const leaking: MindFactory = {
      name: 'leaking',
      about: '',
      make: (world) => {
        const mind = OURS.make(world);
        const arrived = mind.arrived.bind(mind);
        // Sends each request on as if it were bound to nothing.
        const originals = new Map<FleetRequest, FleetRequest>();
        mind.arrived = (request) => {
          const free = { ...request, regions: null };
          originals.set(free, request);
          arrived(free);
        };
        const dispatch = world.dispatch.bind(world);
        world.dispatch = (request, replica) => dispatch(originals.get(request) ?? request, replica);
        const refuse = world.refuse.bind(world);
        world.refuse = (request, retryAfterMs) => refuse(originals.get(request) ?? request, retryAfterMs);
        return mind;
      },
    };
    expect(runFleet({ plan, workload, mind: leaking, seed: 1 }).violations.join()).toContain('and was served in');
    expect(runFleet({ plan, workload, mind: OURS, seed: 1 }).violations).toEqual([]);
  });

  test('a region that is lost takes nothing with it: what it was answering goes on elsewhere', () => {
    const workload = workloadOf(plan, 0.5);
    const endMs = workload.requests.at(-1)?.arrivalMs ?? 0;
    const [fromMs, toMs] = [endMs * 0.4, endMs * 0.6];
    const { records, violations } = runFleet({
      plan,
      workload,
      mind: OURS,
      seed: 1,
      faults: [{ kind: 'region-lost', region: 'aws-us-west-2', fromMs, toMs }],
    });
    expect(violations).toEqual([]);
    expect(records.every(({ end }) => end === 'completed')).toBe(true);
    expect(records.some(({ parts }) => parts === 2)).toBe(true);
    const later = records.filter(({ request }) => request.arrivalMs > fromMs + 3_000);
    const during = later.filter(({ request }) => request.arrivalMs < toMs - 5_000);
    expect(during.some(({ region }) => region === 'aws-us-west-2')).toBe(false);
    expect(later.some(({ region, request }) => region === 'aws-us-west-2' && request.arrivalMs > toMs + 1_000)).toBe(true);
  });

  test.each([
    [0, 1, 'at least one replica'],
    [3, 0, 'in 1 to 8 regions'],
    [3, 9, 'in 1 to 8 regions'],
    [2, 3, '2 replicas cannot stand in 3 regions'],
    [1.5, 1, 'at least one replica, not 1.5'],
  ])('of %d replicas in %d regions is refused', (replicas, regions, message) => {
    expect(() => fleetPlan(replicas, regions)).toThrow(message);
  });
});
