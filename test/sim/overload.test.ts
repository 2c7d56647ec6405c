import { describe, expect, test } from 'vitest';
import { seededRng } from '../../src/core/index.ts';
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
  runFleet,
  type FleetRecord,
  type FleetRequest,
  type Workload,
} from '../../src/sim/index.ts';

const MINUTES = 6;
const REPLICAS = 3;
const plan = fleetPlan(REPLICAS, 1);
const MIND = meridian(meridianOptions(gatewayDefaults()));

/** A tenth of it critical, three tenths batch. */
function classOf(index: number): FleetRequest['priority'] {
  if (index % 10 === 0) return 'critical';
  return index % 10 < 4 ? 'batch' : 'standard';
}

/** Conversations at `load` times what the fleet can do, for the same time. */
function workloadAt(load: number): Workload {
  const regions = plan.regions.map(({ name }) => name);
  const calm = conversations({ ...CONVERSATIONS, seed: 1, regions, durationMs: MINUTES * 60_000 * load, conversationsPerS: REPLICAS / 10 });
  const { requests, ...rest } = compressed(calm, compression(demandOf(calm, REPLICAS, plan.engine), REPLICAS, load));
  return { ...rest, requests: requests.map((request) => ({ ...request, priority: classOf(request.index) })) };
}

function run(load: number): readonly FleetRecord[] {
  const { records, violations } = runFleet({ plan, workload: workloadAt(load), mind: MIND, seed: 1 });
  expect(violations).toEqual([]);
  return records;
}

/** Tokens per second of answers that were wanted and came, while requests were arriving. */
function goodput(records: readonly FleetRecord[]): number {
  const lastMs = records.at(-1)?.request.arrivalMs ?? 0;
  const answered = records.filter(({ end, endedMs }) => end === 'completed' && endedMs <= lastMs);
  return answered.reduce((sum, { completionTokens, request }) => sum + completionTokens + request.promptTokens, 0) / lastMs;
}

const answeredShare = (records: readonly FleetRecord[]): number => records.filter(({ end }) => end === 'completed').length / records.length;

describe('row 25: at three times what the fleet can do', () => {
  const peak = Math.max(...[0.9, 1.1, 1.5].map((load) => goodput(run(load))));
  const records = run(3);

  test('it does nearly as much as it ever does', () => {
    expect(goodput(records) / peak).toBeGreaterThanOrEqual(0.95);
  });

  test('the critical class hardly notices, and nothing waits longer than its class may', () => {
    expect(answeredShare(records.filter(({ request }) => request.priority === 'critical'))).toBeGreaterThanOrEqual(0.994);
    const refused = records.filter(({ end }) => end === 'refused');
    expect(refused.length).toBeGreaterThan(records.length / 5);
    expect(refused.every(({ request }) => request.priority !== 'critical')).toBe(true);
    const longestMs = Math.max(...refused.map(({ request, endedMs }) => endedMs - request.arrivalMs));
    expect(longestMs).toBeLessThan(301_000);
  });
});

describe('row 27: a prefix that four requests in five have', () => {
  const HOT = { requests: 900, perS: 6, blocks: 24, ownBlocks: 2, share: 0.8 };
  const BLOCK_TOKENS_ = 512;

  /** Prompts of one length, most of which begin alike. */
  function workload(): Workload {
    const rng = seededRng(4);
    const words = (blocks: number): number[] => Array.from({ length: 2 * blocks }, (_, i) => Math.floor(rng.next() * (i % 2 === 0 ? 0x1_0000_0000 : 0x20_0000)));
    const shared = words(HOT.blocks);
    const requests = Array.from({ length: HOT.requests }, (_, index): FleetRequest => {
      const chain = [...(rng.next() < HOT.share ? shared : words(HOT.blocks)), ...words(HOT.ownBlocks)];
      return {
        index,
        arrivalMs: (index * 1_000) / HOT.perS,
        organization: `org-${index % 10}`,
        session: '',
        promptTokens: (chain.length / 2) * BLOCK_TOKENS_,
        outputTokens: 50,
        chain: Uint32Array.from(chain),
        answeredChain: Uint32Array.from(chain),
        tokensPerBlock: BLOCK_TOKENS_,
        regions: null,
        priority: 'standard',
      };
    });
    return { about: '', requests, homes: requests.map(() => 'gcp-us-east4') };
  }

  test('is copied to further replicas, and costs those who have it less than the others', () => {
    const { records, violations } = runFleet({ plan: fleetPlan(4, 1), workload: workload(), mind: MIND, seed: 1 });
    expect(violations).toEqual([]);
    const settled = records.slice(100).filter(({ end }) => end === 'completed');
    const hot = settled.filter(({ cachedTokens, request }) => cachedTokens > request.promptTokens / 2);
    const cold = settled.filter((record) => !hot.includes(record));
    expect(hot.length / settled.length).toBeGreaterThan(0.7);
    expect(new Set(hot.map(({ replicaId }) => replicaId)).size).toBeGreaterThan(1);
    const mean = (of: readonly FleetRecord[]): number => of.reduce((sum, { ttftMs }) => sum + ttftMs, 0) / of.length;
    expect(mean(hot)).toBeLessThan(mean(cold));
  });
});
