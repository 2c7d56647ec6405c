import type { AuditLog } from '../accounts/index.ts';
import type { Journal } from '../billing/index.ts';
import type { GatewayConfig } from '../config/index.ts';
import type { Clock, Logger, Rng } from '../core/index.ts';
import { NodeLinks, SettlementInbox } from '../gateway/index.ts';
import { Fleet } from '../health/index.ts';
import type { RegistryAt } from '../identity/index.ts';
import { LINK_PATH } from '../link/index.ts';
import type { PrefixSink } from '../prefix/index.ts';
import { AgentlessReplicas } from './agentless-replicas.ts';
import { fleetMembers, type Joining } from './fleet-members.ts';
import { listen } from './listener.ts';
import type { Shared } from './open-shared.ts';
import { pacePrior, replicaHealth } from './replica-options.ts';
import type { Teardown } from './teardown.ts';
import { TlsFiles } from './tls-files.ts';

interface World {
  readonly clock: Clock;
  readonly rng: Rng;
  readonly log: Logger;
}

interface OpenFleet {
  readonly fleet: Fleet;
  readonly settlements: SettlementInbox;
  readonly fleetUrl: string | null;
  readonly operate: NodeLinks['operate'];
  /** Cuts the links of a node. */
  readonly cut: NodeLinks['cut'];
  readonly joining: Joining | null;
  /** Which other gateways nodes are told of. */
  readonly peers: NodeLinks['peers'];
  /** Of the fleet listener. */
  readonly certificates: readonly TlsFiles[];
  /** Goes by other replicas, peers and bounds from now on. */
  readonly reconfigure: (config: GatewayConfig) => void;
}

/** What it is written down by. */
interface FleetRecords {
  readonly journal: Journal;
  readonly audit: Pick<AuditLog, 'append'>;
  /** Of the registry of nodes, of a gateway alone. */
  readonly nodesPath: string;
  readonly shared: Shared | null;
}

/** The replicas: those that nodes bring over their links, and those the configuration names by URL. */
export async function openFleet(config: GatewayConfig, world: World & { readonly prefixes: PrefixSink }, { journal, audit, nodesPath, shared }: FleetRecords, teardown: Teardown): Promise<OpenFleet> {
  const fleet = new Fleet();
  const settlements = new SettlementInbox(world.clock, async ({ attempt, outcome, settlement }) => {
    const usage = settlement.usage ?? settlement.counted;
    if (usage !== null) await journal.lateSettlement({ attemptId: attempt, usage, outcome });
  });
  const agentless = teardown.add(new AgentlessReplicas(config, { ...world, fleet }));
  const reconfigure = (to: GatewayConfig): void => {
    for (const replica of fleet.all()) replica.reconfigure(replicaHealth(to));
    agentless.take(to);
  };
  const listener = config.listen.fleet;
  if (listener === undefined) return { fleet, settlements, fleetUrl: null, operate: () => false, cut: () => {}, peers: () => {}, joining: null, certificates: [], reconfigure };
  const { id } = config.gateway;
  const { server, joining, admit, renew } = await fleetMembers(listener, id, { ...world, audit, registryAt: registryAt(shared, nodesPath) }, teardown);
  const links = new NodeLinks(
    server,
    {
      ...config.link,
      admit,
      renew,
      streamBufferBytesMax: config.limits.streamBufferBytesMax,
      health: replicaHealth(config),
      pace: pacePrior(config),
      members: { gateway: id, gateways: listener.peers },
    },
    { ...world, fleet, onSettled: (settled) => settlements.deliver(settled) },
  );
  if (joining !== null) shared?.changes.on('nodes', () => links.recheck((bearer, address) => joining.registry.refusal(bearer, address)));
  teardown.add({
    close() {
      links.close();
      server.close();
      server.closeAllConnections();
    },
  });
  const isEncrypted = listener.tls !== undefined || joining !== null;
  const fleetUrl = `${await listen(server, listener, 'listen.fleet', isEncrypted ? 'wss' : 'ws')}${LINK_PATH}`;
  return {
    fleet,
    settlements,
    fleetUrl,
    joining,
    certificates: joining === null ? [new TlsFiles('listen.fleet.tls', listener, server)] : [],
    operate: (node, operation) => links.operate(node, operation),
    cut: (node, why) => links.cut(node, why),
    peers: (gateways) => links.peers(gateways),
    reconfigure(to) {
      reconfigure(to);
      links.reconfigure({ health: replicaHealth(to), pace: pacePrior(to) });
    },
  };
}

function registryAt(shared: Shared | null, path: string): RegistryAt {
  if (shared === null) return { kind: 'sqlite', path };
  const { postgres, onIdleError } = shared;
  return { kind: 'postgres', url: postgres.url, connectionsMax: 1, statementMs: postgres.statementMs, onIdleError };
}
