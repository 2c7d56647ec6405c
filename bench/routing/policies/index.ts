import { gatewayDefaults } from '../../../src/config/index.ts';
import { meridian, meridianOptions, type GatewayWorld, type MindFactory } from '../../../src/sim/index.ts';
import { dynamo } from './dynamo.ts';
import { llmD } from './llm-d.ts';
import { PeerMind, type PeerPolicy } from './peer-mind.ts';
import { sglangCacheAware } from './sglang.ts';
import { leastRequests, roundRobin, sessionHash } from './simple.ts';

const PEERS: readonly (readonly [name: string, about: string, make: (world: GatewayWorld) => PeerPolicy])[] = [
  ['round-robin', 'each replica in turn', roundRobin],
  ['least-requests', 'fewest requests under way', leastRequests],
  ['session-hash', 'rendezvous hashing by session', sessionHash],
  ['sglang', "SGLang router's cache_aware, 0.3 / 64 / 1.5", sglangCacheAware],
  ['llm-d', '2 × prefix + 1 × KV + 1 × queue', llmD],
  ['dynamo', 'blocks to prefill + blocks in decode', dynamo],
];

/** Peers know no distance; so each runs twice: over all replicas, and as one router per region (`…@home`). */
export const POLICIES: readonly MindFactory[] = [
  ...PEERS.flatMap(([name, about, make]): MindFactory[] => [
    { name, about, make: (world) => new PeerMind(world, make(world), false) },
    { name: `${name}@home`, about: `${about}; within the home region`, make: (world) => new PeerMind(world, make(world), true) },
  ]),
  meridianByDefaults(),
];

/** Meridian as it is configured by default. */
function meridianByDefaults(): MindFactory {
  return meridian(meridianOptions(gatewayDefaults()));
}
