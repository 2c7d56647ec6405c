import type { GatewayConfig } from '../config/index.ts';
import type { Clock, Logger } from '../core/index.ts';
import { Members, type Member } from '../redis/index.ts';
import type { Shared } from './open-shared.ts';
import type { Teardown } from './teardown.ts';

/** The other gateways, by what nodes dial. */
export type Peers = NonNullable<GatewayConfig['listen']['fleet']>['peers'];

interface MembersOf {
  readonly config: GatewayConfig;
  readonly shared: Shared | null;
  /** Where nodes dial this gateway. */
  readonly fleetUrl: string | null;
  readonly clock: Clock;
  readonly log: Logger;
  /** Told who else is there whenever that changes. */
  readonly onPeers: (peers: Peers) => void;
}

/** How many gateways there are, as far as is known. Rejects with `conflict` when another one has this one's id. */
export async function openMembers({ config, shared, fleetUrl, clock, log, onPeers }: MembersOf, teardown: Teardown): Promise<() => number> {
  if (shared === null || shared.redisParts === null) return () => 1;
  const { redis, keyPrefix } = shared.redisParts;
  const { id, region } = config.gateway;
  const self: Member = { id, region, fleetUrl: config.listen.fleet?.advertiseUrl ?? fleetUrl, startedAtMs: clock.wallMs() };
  const { beatMs, memberLeaseMs: leaseMs } = config.sharing;
  const configured = config.listen.fleet?.peers ?? [];
  const members = teardown.add(
    await Members.join({
      redis,
      keyPrefix,
      self,
      beatMs,
      leaseMs,
      clock,
      log,
      onChange(all) {
        log.info({ gateways: all.map((member) => member.id) }, 'the gateways that are there have changed');
        onPeers([...configured, ...all.flatMap((member) => (member.id === id || member.fleetUrl === null || configured.some((peer) => peer.id === member.id) ? [] : [{ id: member.id, url: member.fleetUrl }]))]);
      },
    }),
  );
  return () => members.list().length;
}
