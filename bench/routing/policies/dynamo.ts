import type { FleetAttempt, FleetRequest, GatewayWorld } from '../../../src/sim/index.ts';
import { BlockOwners } from './block-owners.ts';
import type { PeerPolicy, PeerReplica } from './peer-mind.ts';
import { least } from './simple.ts';

const OVERLAP_WEIGHT = 1;

interface Active {
  readonly prefillBlocks: number;
  readonly blocks: number;
  isPrefilling: boolean;
}

/**
 * NVIDIA Dynamo's KV router: cost = overlap weight × blocks to prefill + blocks active in decode, the lowest wins
 * (temperature 0). Both are what the router itself has under way on the worker, plus the request's own: its blocks to prefill
 * less those that the engine's KV events say are cached. Prefill counts until the first token.
 */
export function dynamo(world: GatewayWorld): PeerPolicy {
  const owners = new BlockOwners(1_000_000);
  const active = new Map<string, Map<FleetAttempt, Active>>();
  const blocksOf = ({ promptTokens, tokensPerBlock }: FleetRequest): number => promptTokens / tokensPerBlock;
  const uncached = (request: FleetRequest, id: string): number => blocksOf(request) - owners.match(id, request.chain);
  return {
    choose(request, replicas) {
      const cost = ({ id }: PeerReplica): number => {
        let prefill = uncached(request, id);
        let decode = blocksOf(request);
        for (const { prefillBlocks, blocks, isPrefilling } of active.get(id)?.values() ?? []) {
          if (isPrefilling) prefill += prefillBlocks;
          decode += blocks;
        }
        return OVERLAP_WEIGHT * prefill + decode;
      };
      return least(replicas, cost, world);
    },
    sent(attempt, { id }) {
      const ofReplica = active.get(id) ?? new Map<FleetAttempt, Active>();
      active.set(id, ofReplica);
      ofReplica.set(attempt, { prefillBlocks: uncached(attempt.request, id), blocks: blocksOf(attempt.request), isPrefilling: true });
    },
    began(attempt) {
      const one = active.get(attempt.replicaId)?.get(attempt);
      if (one !== undefined) one.isPrefilling = false;
    },
    ended: (attempt) => active.get(attempt.replicaId)?.delete(attempt),
    stored: (id, words) => owners.store(id, words),
    evicted: (id, words) => owners.evict(id, words),
    forgotten: (id) => owners.forget(id),
  };
}
