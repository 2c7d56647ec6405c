import type { GatewayConfig } from '../config/index.ts';
import type { Clock, Logger } from '../core/index.ts';
import { Members, type Member } from '../redis/index.ts';
import type { Shared } from './open-shared.ts';
import type { Teardown } from './teardown.ts';

/** The other gateways, by what nodes dial. */
export type Peers = NonNullable<GatewayConfig['listen']['fleet']>['peers'];

/** The gateways that are there, as far as is known. */
export interface GatewayMembers {
  count(): number;
  /** Tells nodes which other gateways there are: those the configuration names, and those that are there. */
  tellNodes(config: GatewayConfig): void;
}

interface MembersOf {
  readonly config: GatewayConfig;
  readonly shared: Shared | null;
  /** Where nodes dial this gateway. */
  readonly fleetUrl: string | null;
  readonly clock: Clock;
  readonly log: Logger;
  readonly onPeers: (peers: Peers) => void;
}

/** Rejects with `conflict` when another gateway has this one's id. */
export async function openMembers({ config, shared, fleetUrl, clock, log, onPeers }: MembersOf, teardown: Teardown): Promise<GatewayMembers> {
  let current = config;
  let others: readonly Member[] = [];
  const tell = (): void => {
    const configured = current.listen.fleet?.peers ?? [];
    const found = others.flatMap(({ id, fleetUrl: url }) => (url === null || configured.some((peer) => peer.id === id) ? [] : [{ id, url }]));
    onPeers([...configured, ...found]);
  };
  const tellNodes = (next: GatewayConfig): void => {
    current = next;
    tell();
  };
  if (shared === null || shared.redisParts === null) return { count: () => 1, tellNodes };
  const { redis, keyPrefix } = shared.redisParts;
  const { id, region } = config.gateway;
  const self: Member = { id, region, fleetUrl: advertisedUrl(config, fleetUrl, log), startedAtMs: clock.wallMs() };
  const { beatMs, memberLeaseMs: leaseMs } = config.sharing;
  const onChange = (all: readonly Member[]): void => {
    log.info({ gateways: all.map((member) => member.id) }, 'the gateways that are there have changed');
    others = all.filter((member) => member.id !== id);
    tell();
  };
  const members = teardown.add(await Members.join({ redis, keyPrefix, self, beatMs, leaseMs, clock, log, onChange }));
  return { count: () => members.list().length, tellNodes };
}

/** What nodes on other machines can dial; null when nobody has said it, and any address of this one is listened at. */
function advertisedUrl({ listen }: GatewayConfig, fleetUrl: string | null, log: Logger): string | null {
  if (listen.fleet === undefined) return null;
  const { advertiseUrl, host } = listen.fleet;
  if (advertiseUrl !== undefined) return advertiseUrl;
  if (host !== '0.0.0.0' && host !== '::') return fleetUrl;
  log.warn({ host }, 'nodes that are linked to other gateways are not told of this one: say listen.fleet.advertise_url');
  return null;
}
