/** `npm run bench:ranking`: one ranking among a thousand replicas, and the memory of the prefix index. */
import { performance } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { Router, type Placement } from '../src/balancer/index.ts';
import { gatewayDefaults } from '../src/config/index.ts';
import { seededRng } from '../src/core/index.ts';
import { PACE_PRIOR, Replica } from '../src/health/index.ts';
import { BLOCK_BYTES, promptChain } from '../src/prefix/index.ts';
import { goalTable } from './goal.ts';
import { percentile } from './statistics.ts';

const REPLICAS = 1_000;
const REGIONS = 20;
const BLOCKS_PER_REPLICA = 4_000;
const PROMPT_TOKENS = 32_000;
const BYTES_PER_TOKEN = 4;
const ROUNDS = 2_000;
const WARM_UP = 500;
/** Prefixes that many replicas hold: system prompts. */
const SHARED = { prefixes: 200, blocks: 40, replicasEach: 25 };

const { values } = parseArgs({ options: { json: { type: 'boolean', default: false } } });
const rng = seededRng(1);
const router = new Router({ ...gatewayDefaults().balancer, homeRegion: 'region-0' }, rng);
const replicas = Array.from({ length: REPLICAS }, (_, i) => reporting(`replica-${i}`, `region-${i % REGIONS}`));
const prompts = fillIndex();
const chain = (i: number): Uint32Array => prompts[i % prompts.length] ?? new Uint32Array(0);

const rankUs: number[] = [];
for (let i = 0; i < WARM_UP + ROUNDS; i += 1) {
  const placement: Placement = {
    model: 'm',
    promptTokens: PROMPT_TOKENS,
    outputTokens: 300,
    chain: chain(i),
    tokensPerBlock: BLOCK_BYTES / BYTES_PER_TOKEN,
    session: `session-${i}`,
  };
  const startedMs = performance.now();
  const { candidates } = router.route(placement, replicas, 10);
  const tookUs = (performance.now() - startedMs) * 1_000;
  if (candidates.length === 0) throw new Error('nobody was chosen');
  if (i >= WARM_UP) rankUs.push(tookUs);
}

const body = { messages: [{ role: 'user', content: 'over the hills and far away '.repeat((PROMPT_TOKENS * BYTES_PER_TOKEN) / 28) }] };
const hashUs: number[] = [];
for (let i = 0; i < WARM_UP + ROUNDS; i += 1) {
  const startedMs = performance.now();
  const { bytes } = promptChain('/v1/chat/completions', body, { salt: 'salt', model: 'm' });
  const tookUs = (performance.now() - startedMs) * 1_000;
  if (bytes < PROMPT_TOKENS) throw new Error('the prompt is too short');
  if (i >= WARM_UP) hashUs.push(tookUs);
}

const figures = {
  replicas: REPLICAS,
  regions: REGIONS,
  promptTokens: PROMPT_TOKENS,
  blocks: router.prefixes.blocks,
  indexMb: router.prefixes.bytes / 1e6,
  rankP50Us: percentile(rankUs, 0.5),
  rankP99Us: percentile(rankUs, 0.99),
  hashP50Us: percentile(hashUs, 0.5),
};
const goals = [
  atMost('ranking without hashing, p50', 60, figures.rankP50Us, 'µs'),
  atMost('ranking with hashing, p50', 150, figures.rankP50Us + figures.hashP50Us, 'µs'),
  atMost('prefix index', 250, figures.indexMb, 'MB'),
];
const about = `${REPLICAS} replicas in ${REGIONS} regions, ${figures.blocks} different blocks, a prompt of ${PROMPT_TOKENS} tokens; ranking p99 ${figures.rankP99Us.toFixed(0)} µs, hashing p50 ${figures.hashP50Us.toFixed(0)} µs`;
console.log(values.json ? JSON.stringify(figures) : `${about}\n\n${goalTable(goals).join('\n')}`);

function atMost(what: string, bound: number, reached: number, unit: string) {
  return { what, bound: `≤ ${bound} ${unit}`, reached: `${reached.toFixed(1)} ${unit}`, isMet: reached <= bound };
}

function reporting(id: string, region: string): Replica {
  const identity = { id, node: id, region, engine: 'sglang', models: ['m'], contextTokens: 163_840, runningMax: 256, kvTokens: 512_000, continuation: 'none' as const };
  const { breaker, health } = gatewayDefaults();
  const upstream = { lastDispatch: 0, dispatch: () => true };
  const replica = new Replica(identity, upstream, { breaker, ...health, slowStartMs: 0 }, rng, PACE_PRIOR);
  replica.setState('ready', '', 0);
  replica.measured(5 + rng.next() * 200);
  const load = { running: Math.floor(rng.next() * 60), queued: 0, queuedUncachedTokens: Math.floor(rng.next() * 40_000), kvTokensUsed: Math.floor(rng.next() * 400_000) };
  replica.report({ ...load, seq: 1, ageMs: 0, kvTokens: 512_000, prefillTokensPerS: null, decodeTokensPerS: null }, 0, 0);
  return replica;
}

/** Fills every replica's mirror; returns prompts that begin with a shared prefix and go on with what one replica holds. */
function fillIndex(): Uint32Array[] {
  const random = (): number => Math.floor(rng.next() * 0x1_0000_0000);
  const chainOf = (blocks: number): Uint32Array => Uint32Array.from({ length: blocks * 2 }, random);
  const shared = Array.from({ length: SHARED.prefixes }, () => chainOf(SHARED.blocks));
  const promptBlocks = (PROMPT_TOKENS * BYTES_PER_TOKEN) / BLOCK_BYTES;
  const chains: Uint32Array[] = [];
  const held = replicas.map(() => 0);
  for (const [i, prefix] of shared.entries()) {
    for (let n = 0; n < SHARED.replicasEach; n += 1) {
      const at = (i * SHARED.replicasEach + n) % REPLICAS;
      router.prefixes.stored(`replica-${at}`, prefix);
      held[at] = (held[at] ?? 0) + SHARED.blocks;
    }
  }
  for (const [at, { identity }] of replicas.entries()) {
    const prefix = shared[Math.floor(at / SHARED.replicasEach) % SHARED.prefixes] ?? new Uint32Array(0);
    const own = chainOf(BLOCKS_PER_REPLICA - (held[at] ?? 0));
    router.prefixes.stored(identity.id, own);
    const prompt = new Uint32Array(promptBlocks * 2);
    prompt.set(prefix);
    prompt.set(own.subarray(0, prompt.length - prefix.length), prefix.length);
    chains.push(prompt);
  }
  return chains;
}
