import type { GatewayWorld } from '../../../src/sim/index.ts';
import { BlockOwners } from './block-owners.ts';
import type { PeerPolicy, PeerReplica } from './peer-mind.ts';
import { least } from './simple.ts';

const WEIGHTS = { prefix: 2, kv: 1, queue: 1 };

/**
 * llm-d's scheduler: scores from 0 to 1, weighted and added, the highest wins, chance among equals. Prefix: share of the
 * prompt's blocks that the engine's KV events say it holds; KV: share of the cache that is free; queue: 1 for the shortest
 * and 0 for the longest of the reported waiting queues.
 */
export function llmD(world: GatewayWorld): PeerPolicy {
  const owners = new BlockOwners(1_000_000);
  return {
    choose({ chain }, replicas) {
      const queued = ({ load }: PeerReplica): number => load?.queued ?? 0;
      const longest = Math.max(...replicas.map(queued));
      const shortest = Math.min(...replicas.map(queued));
      const score = (replica: PeerReplica): number => {
        const prefix = chain.length === 0 ? 0 : owners.match(replica.id, chain) / (chain.length / 2);
        const kv = 1 - (replica.load === null ? 0 : replica.load.kvTokensUsed / replica.load.kvTokens);
        const queue = longest === shortest ? 1 : (longest - queued(replica)) / (longest - shortest);
        return WEIGHTS.prefix * prefix + WEIGHTS.kv * kv + WEIGHTS.queue * queue;
      };
      return least(replicas, (replica) => -score(replica), world);
    },
    stored: (id, words) => owners.store(id, words),
    evicted: (id, words) => owners.evict(id, words),
    forgotten: (id) => owners.forget(id),
  };
}
