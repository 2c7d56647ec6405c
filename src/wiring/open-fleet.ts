import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { Journal } from '../billing/index.ts';
import type { GatewayConfig } from '../config/index.ts';
import type { Clock, Logger, Rng } from '../core/index.ts';
import { AgentlessReplica, NodeLinks, SettlementInbox } from '../gateway/index.ts';
import { Fleet, PACE_PRIOR, type PacePrior, type ReplicaHealthOptions } from '../health/index.ts';
import { LINK_PATH } from '../link/index.ts';
import type { PrefixSink } from '../prefix/index.ts';
import { listen, tlsOf } from './listener.ts';
import type { Teardown } from './teardown.ts';

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
}

const EVENT_BYTES_MAX = 1 << 20;

/** The replicas: those that nodes bring over their links, and those the configuration names by URL. */
export async function openFleet(config: GatewayConfig, world: World & { readonly prefixes: PrefixSink }, journal: Journal, teardown: Teardown): Promise<OpenFleet> {
  const fleet = new Fleet();
  const settlements = new SettlementInbox(world.clock, async ({ attempt, outcome, settlement }) => {
    const usage = settlement.usage ?? settlement.counted;
    if (usage !== null) await journal.lateSettlement({ attemptId: attempt, usage, outcome });
  });
  for (const replica of config.replicas) fleet.add(agentless(replica, config, world, teardown));
  const listener = config.listen.fleet;
  if (listener === undefined) return { fleet, settlements, fleetUrl: null, operate: () => false };
  const tls = tlsOf(listener);
  const server = tls === null ? createHttpServer() : createHttpsServer(tls);
  server.on('request', (_request, response) => response.writeHead(426, { connection: 'close' }).end());
  const links = new NodeLinks(
    server,
    {
      ...config.link,
      token: listener.token,
      streamBufferBytesMax: config.limits.streamBufferBytesMax,
      health: replicaHealth(config),
      pace: pacePrior(config),
      members: { gateway: config.gateway.id, gateways: [] },
    },
    { ...world, fleet, onSettled: (settled) => settlements.deliver(settled) },
  );
  teardown.add({
    close() {
      links.close();
      server.close();
      server.closeAllConnections();
    },
  });
  const fleetUrl = `${await listen(server, listener, 'listen.fleet', 'ws')}${LINK_PATH}`;
  return { fleet, settlements, fleetUrl, operate: (node, operation) => links.operate(node, operation) };
}

function agentless(
  replica: GatewayConfig['replicas'][number],
  config: GatewayConfig,
  world: World & { readonly prefixes: PrefixSink },
  teardown: Teardown,
) {
  const { timeouts, limits, models } = config;
  const contextTokens = replica.contextTokens ?? Math.min(...replica.models.map((name) => models[name]?.contextTokens ?? 0));
  const answer = { eventBytesMax: EVENT_BYTES_MAX, answerBytesMax: limits.answerBytesMax };
  const bounds = { connectMs: timeouts.connectMs, attemptsMax: limits.inFlightMax, answer, health: replicaHealth(config), pace: pacePrior(config) };
  return teardown.add(new AgentlessReplica({ ...replica, contextTokens }, bounds, world)).replica;
}

function replicaHealth({ breaker, health }: GatewayConfig): ReplicaHealthOptions {
  return { breaker, ...health };
}

function pacePrior({ balancer }: GatewayConfig): PacePrior {
  return { ...PACE_PRIOR, prefillTokensPerS: balancer.prefillTokensPerS };
}
