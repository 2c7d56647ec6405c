import type { GatewayWorld } from '../../../src/sim/index.ts';
import { BlockOwners } from './block-owners.ts';
import type { PeerPolicy, PeerReplica } from './peer-mind.ts';
import { least } from './simple.ts';

const CACHE_THRESHOLD = 0.3;
const BALANCE_ABS = 64;
const BALANCE_REL = 1.5;
/** The tree's default bound of 2^26 characters, in blocks of 512 tokens of four characters. */
const TREE_BLOCKS = 32_768;

/**
 * SGLang router's `cache_aware`: an approximate radix tree per worker, of the prompts it was sent. While loads (own requests
 * under way) are balanced, the worker with the longest match if that is more than the threshold, else the one with the
 * smallest tree; the shortest queue once they differ by more than both bounds.
 */
export function sglangCacheAware(world: GatewayWorld): PeerPolicy {
  const trees = new BlockOwners(TREE_BLOCKS);
  return {
    choose({ chain }, replicas) {
      const loads = replicas.map(({ inFlight }) => inFlight);
      const most = Math.max(...loads);
      const fewest = Math.min(...loads);
      if (most - fewest > BALANCE_ABS && most > fewest * BALANCE_REL) return least(replicas, ({ inFlight }) => inFlight, world);
      const matched = (replica: PeerReplica): number => trees.match(replica.id, chain);
      const best = least(replicas, (replica) => -matched(replica), world);
      if (chain.length > 0 && matched(best) / (chain.length / 2) > CACHE_THRESHOLD) return best;
      return least(replicas, ({ id }) => trees.size(id), world);
    },
    sent: ({ request }, { id }) => trees.store(id, request.chain),
    forgotten: (id) => trees.forget(id),
  };
}
