import type { GatewayWorld } from '../../../src/sim/index.ts';
import { chained } from '../../../src/sim/index.ts';
import type { PeerPolicy, PeerReplica } from './peer-mind.ts';

/** One after the other. */
export function roundRobin(): PeerPolicy {
  let next = 0;
  return {
    choose(_request, replicas) {
      next += 1;
      return replicas[next % replicas.length] as PeerReplica;
    },
  };
}

/** Fewest requests under way, as this router counts its own and as the engine reports them, whichever is more. */
export function leastRequests(world: GatewayWorld): PeerPolicy {
  return {
    choose: (_request, replicas) => least(replicas, busyness, world),
  };
}

/** Requests under way, by the newest report or by own count. */
function busyness({ load, inFlight }: PeerReplica): number {
  return Math.max(inFlight, load === null ? 0 : load.running + load.queued);
}

/** Rendezvous hashing by session (Thaler & Ravishankar): a conversation stays where it began. */
export function sessionHash(): PeerPolicy {
  return {
    choose(request, replicas) {
      const weight = ({ id }: PeerReplica): number => {
        let pair: [number, number] = [1, 2];
        for (const text of [request.session, id]) for (let i = 0; i < text.length; i += 1) pair = chained(pair[0], pair[1], text.charCodeAt(i));
        return pair[0];
      };
      return replicas.reduce((best, replica) => (weight(replica) > weight(best) ? replica : best));
    },
  };
}

/** The least by `of`; chance among equals. */
export function least(replicas: readonly PeerReplica[], of: (replica: PeerReplica) => number, world: GatewayWorld): PeerReplica {
  let best: PeerReplica[] = [];
  let leastOf = Infinity;
  for (const replica of replicas) {
    const value = of(replica);
    if (value < leastOf) [best, leastOf] = [[replica], value];
    else if (value === leastOf) best.push(replica);
  }
  return best[Math.floor(world.rng() * best.length)] as PeerReplica;
}
