import { ExpectedOutput } from './balancer/index.ts';
import { PriceDesk } from './billing/index.ts';
import type { GatewayConfig } from './config/index.ts';
import { wait, type Clock, type Logger, type Rng } from './core/index.ts';
import { ActiveRequests, gatewayMetrics, RouteLog, Sweep, type GatewayDeps } from './gateway/index.ts';
import {
  ConfigReload,
  LiveConfig,
  openBoundedParts,
  openEdges,
  openFleet,
  openLimiter,
  openMembers,
  openPrices,
  openRecords,
  openTelemetry,
  reconfigureParts,
  Teardown,
  type ConfigSource,
  type Edges,
  type ListeningSocket,
  type PublicDoor,
  type Records,
  type ReloadReport,
} from './wiring/index.ts';

export type { ConfigSource, ListeningSocket, PublicDoor };

export interface Gateway extends Edges, Pick<Records, 'keys' | 'journal' | 'ledger' | 'feed' | 'spending' | 'shared'>, Pick<GatewayDeps, 'fleet' | 'prices'> {
  /** Where nodes dial in; null when the configuration has no fleet listener. */
  readonly fleetUrl: string | null;
  /** What it goes by now. */
  readonly config: () => GatewayConfig;
  /** Reads the configuration again. Rejects with all that is wrong with it, and nothing is changed then. */
  reload(): Promise<ReloadReport>;
  /**
   * Leaves to others that listen at the same port: takes no new connections, serves those that are open to the end of their next answer, and stops
   * when none is left, or after the time that streams have.
   */
  handOver(): Promise<void>;
  /** Takes nothing new, lets streams finish within the configured time, and stops. */
  drain(): Promise<void>;
  /** Stops at once: streams under way are cut. */
  close(): Promise<void>;
}

/** What a gateway takes from its process. */
export interface GatewayWorld {
  readonly clock: Clock;
  readonly rng: Rng;
  readonly log: Logger;
  /** Where the configuration came from; without it, it cannot be read again. */
  readonly source?: ConfigSource;
  /** Does not listen for clients: whoever starts it opens `door`. */
  readonly isDoorShut?: boolean;
}

const SWEEP_MS = 100;
/** Keys whose usual length of answer is remembered. */
const OUTPUT_KEYS_MAX = 100_000;

/**
 * Builds a gateway from its configuration and starts it; used by the command line, the demo and the tests alike. Throws
 * a MeridianError that says what to do when a port is taken or the data directory is in use.
 */
export async function startGateway(config: GatewayConfig, world: GatewayWorld): Promise<Gateway> {
  const teardown = new Teardown();
  try {
    return await build(config, world, teardown);
  } catch (error) {
    await teardown.run();
    throw error;
  }
}

async function build(config: GatewayConfig, world: GatewayWorld, teardown: Teardown): Promise<Gateway> {
  const { clock, log } = world;
  const live = new LiveConfig(config);
  const phase = { isLeaving: false, isDraining: false };
  const { prices, rows } = openPrices(config, clock);
  const records = await openRecords(config, world, teardown);
  const priceDesk = new PriceDesk({ rows, prices, ledger: records.ledger, clock });
  await priceDesk.load();
  records.shared?.changes.on('prices', () => priceDesk.load());
  const { metrics, telemetry } = await openTelemetry(config, world, teardown);
  const parts = openBoundedParts(config, world, teardown);
  const sweep = teardown.add(new Sweep(clock, SWEEP_MS, log));
  const { fleet, settlements, fleetUrl, peers, ...nodes } = await openFleet(config, { ...world, prefixes: parts.router.prefixes }, { ...records, audit: records.accounts.audit }, teardown);
  const members = await openMembers({ config, shared: records.shared, fleetUrl, ...world, onPeers: peers }, teardown);
  const rateLimiter = openLimiter({ config, shared: records.shared, gateways: () => members.count(), ...world }, teardown);
  sweep.add((now) => parts.waitingRoom.expire(now));
  const active = new ActiveRequests();
  const deps: GatewayDeps = {
    ...world,
    ...records,
    ...parts,
    prices,
    get options() {
      return live.options;
    },
    get models() {
      return live.models;
    },
    get aliases() {
      return live.aliases;
    },
    get access() {
      return live.access;
    },
    rateLimiter,
    sessions: records.shared?.redisParts?.sessions ?? null,
    active,
    fleet,
    expectedOutput: new ExpectedOutput(OUTPUT_KEYS_MAX),
    routeLog: new RouteLog(config.balancer.explainMax),
    settlements,
    sweep,
    metrics: gatewayMetrics(metrics, { ...records, ...parts, fleet, shared: { gateways: () => members.count(), redis: records.shared?.redisParts?.redis ?? null, decidedAlone: () => rateLimiter.decidedAlone } }),
    tracing: telemetry.tracing,
    isDraining: () => phase.isDraining,
  };
  const stopCheckpoints = clock.every(config.journal.checkpointMs, () => records.journal.checkpoint(active.checkpoints(clock.now())));
  teardown.add({ close: stopCheckpoints });
  const reloading = Promise.withResolvers<ConfigReload>();
  const reload = async (): Promise<ReloadReport> => (await reloading.promise).run();
  const edges = await openEdges(live, deps, { ...records, priceDesk, ...nodes, scrape: () => telemetry.scrape(), isLeaving: () => phase.isLeaving, isDoorShut: world.isDoorShut ?? false, reloadConfig: reload }, teardown);
  const apply = (to: GatewayConfig): void => {
    reconfigureParts(parts, to);
    nodes.reconfigure(to);
    members.tellNodes(to);
    edges.reconfigure(to);
  };
  reloading.resolve(new ConfigReload({ ...world, source: world.source ?? null, live, priceDesk, certificates: [...edges.certificates, ...nodes.certificates], apply }));
  return {
    ...edges,
    ...records,
    prices,
    fleet,
    fleetUrl,
    config: () => live.config,
    reload,
    async handOver() {
      phase.isLeaving = true;
      edges.door.leave();
      log.info({ connections: edges.door.connections }, 'no new connections are taken; waiting for those that are open');
      await until(() => edges.door.connections === 0, live.config.drain.streamsMs, clock);
      await teardown.run();
    },
    async drain() {
      phase.isLeaving = true;
      await wait(clock, live.config.drain.readinessMs);
      phase.isDraining = true;
      log.info({ inFlight: parts.inFlight.inFlight }, 'no new requests are taken; waiting for those under way');
      await until(() => parts.inFlight.inFlight === 0, live.config.drain.streamsMs, clock);
      await teardown.run();
    },
    close: () => teardown.run(),
  };
}

/** Resolves when it is so, or after `maxMs`. */
async function until(isSo: () => boolean, maxMs: number, clock: Clock): Promise<void> {
  const untilMs = clock.now() + maxMs;
  while (!isSo() && clock.now() < untilMs) await wait(clock, SWEEP_MS);
}
