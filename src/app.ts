import { HedgeBudget, InFlightLimit, RetryBudget } from './admission/index.ts';
import { ExpectedOutput, Router, TokenRatio } from './balancer/index.ts';
import { PriceDesk } from './billing/index.ts';
import { ConfigError, type ConfigChanges, type GatewayConfig } from './config/index.ts';
import { Patience } from './health/index.ts';
import { MeridianError, wait, type Clock, type Logger, type Rng } from './core/index.ts';
import { ActiveRequests, gatewayMetrics, ReplicaAccess, RouteLog, Sweep, WaitingRoom, type GatewayDeps } from './gateway/index.ts';
import {
  gatewayOptions,
  LiveConfig,
  modelOptions,
  openEdges,
  openFleet,
  openLimiter,
  openMembers,
  openPrices,
  openRecords,
  openTelemetry,
  Teardown,
  watchOverload,
  type Edges,
  type LiveParts,
  type Records,
} from './wiring/index.ts';

export interface Gateway extends Edges, Pick<Records, 'keys' | 'journal' | 'ledger' | 'feed' | 'spending' | 'shared'>, Pick<GatewayDeps, 'fleet' | 'prices'> {
  /** Where nodes dial in; null when the configuration has no fleet listener. */
  readonly fleetUrl: string | null;
  /** Takes nothing new, lets streams finish within the configured time, and stops. */
  drain(): Promise<void>;
  /** Takes on what can change in a gateway that runs; says what needs a restart. Rejects, and changes nothing, when the prices are faulty. */
  reload(next: GatewayConfig): Promise<ConfigChanges>;
  /** Stops at once: streams under way are cut. */
  close(): Promise<void>;
}

/** What a gateway takes from its process. */
export interface GatewayWorld {
  readonly clock: Clock;
  readonly rng: Rng;
  readonly log: Logger;
  /** Reads the configuration again; throws a ConfigError. Absent for a gateway without a file. */
  readonly readConfig?: () => GatewayConfig;
}

const SWEEP_MS = 100;
/** How long clients may keep idle connections to a gateway that leaves. */
const PARTING_MS = 10_000;
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
  const phase = { isLeaving: false, isParting: false, isDraining: false };
  const { prices, rows } = openPrices(config, clock);
  const live = new LiveConfig(config, world);
  const records = await openRecords(live, world, teardown);
  const priceDesk = new PriceDesk({ rows, prices, ledger: records.ledger, clock });
  await priceDesk.load();
  records.shared?.changes.on('prices', () => priceDesk.load());
  const { metrics, telemetry } = await openTelemetry(config, world, teardown);
  const router = new Router({ ...config.balancer, homeRegion: config.gateway.region }, world.rng);
  const sweep = teardown.add(new Sweep(clock, SWEEP_MS, log));
  const { fleet, agentless, settlements, fleetUrl, peers, ...nodes } = await openFleet(config, { ...world, prefixes: router.prefixes }, { ...records, audit: records.accounts.audit }, teardown);
  const members = await openMembers({ config, shared: records.shared, fleetUrl, ...world, onPeers: peers }, teardown);
  const rateLimiter = openLimiter({ config, shared: records.shared, gateways: () => members.count(), ...world }, teardown);
  const waitingRoom = new WaitingRoom(config.admission, clock);
  sweep.add((now) => waitingRoom.expire(now));
  const active = new ActiveRequests();
  const inFlight = new InFlightLimit(config.limits.inFlightMax);
  const overload = watchOverload(config.overload, clock, teardown);
  const parts: LiveParts = {
    options: gatewayOptions(config),
    models: modelOptions(config),
    aliases: new Map(Object.entries(config.aliases)),
    access: new ReplicaAccess(config.dedicated),
    agentless,
    priceDesk,
    onPeers: (next) => members.tellNodes(next),
  };
  const deps: GatewayDeps = {
    ...world,
    ...records,
    ...parts,
    prices,
    waitingRoom,
    inFlight,
    rateLimiter,
    sessions: records.shared?.redisParts?.sessions ?? null,
    overload,
    active,
    fleet,
    router,
    expectedOutput: new ExpectedOutput(OUTPUT_KEYS_MAX),
    tokenRatio: new TokenRatio(Object.entries(config.models).map(([name, { bytesPerToken }]) => [name, bytesPerToken])),
    patience: new Patience({ ...config.timeouts, hedge: config.hedge }),
    hedges: new HedgeBudget(config.hedge.share),
    retries: new RetryBudget({ share: config.retries.budgetShare, windowMs: config.retries.budgetWindowMs, reserve: config.retries.budgetReserve }),
    routeLog: new RouteLog(config.balancer.explainMax),
    settlements,
    sweep,
    metrics: gatewayMetrics(metrics, { ...records, shared: { gateways: () => members.count(), redis: records.shared?.redisParts?.redis ?? null, decidedAlone: () => rateLimiter.decidedAlone }, fleet, inFlight, waitingRoom, overload }),
    tracing: telemetry.tracing,
    isParting: () => phase.isParting || phase.isDraining,
    isDraining: () => phase.isDraining,
  };
  const stopCheckpoints = clock.every(config.journal.checkpointMs, () => records.journal.checkpoint(active.checkpoints(clock.now())));
  teardown.add({ close: stopCheckpoints });
  const reload = (next: GatewayConfig): Promise<ConfigChanges> => live.reload(next, parts);
  const reloadFile = async (): Promise<ConfigChanges> => {
    if (world.readConfig === undefined) throw new MeridianError('conflict', { message: 'This gateway was not started from a file.' });
    return reload(readAgain(world.readConfig));
  };
  const edges = await openEdges(config, deps, { ...records, priceDesk, ...nodes, reload: reloadFile, scrape: () => telemetry.scrape(), isLeaving: () => phase.isLeaving }, teardown);
  /** Others at the same port take new connections from now on; those there are here end with their next answer. */
  async function part(): Promise<void> {
    phase.isParting = true;
    edges.stopListening();
    // Those that are idle for so long are hardly about to be used; closing one that is would lose a request.
    const untilMs = clock.now() + Math.max(PARTING_MS, live.current.drain.readinessMs);
    while ((await edges.connections()) > 0 && clock.now() < untilMs) await wait(clock, SWEEP_MS);
  }
  return {
    ...edges,
    ...records,
    prices,
    fleet,
    fleetUrl,
    async drain() {
      phase.isLeaving = true;
      await wait(clock, live.current.drain.readinessMs);
      if (config.listen.public.reusePort) await part();
      phase.isDraining = true;
      log.info({ inFlight: inFlight.inFlight }, 'no new requests are taken; waiting for those under way');
      await idle(deps, live.current.drain.streamsMs);
      await teardown.run();
    },
    reload,
    close: () => teardown.run(),
  };
}

/** Throws `invalid_value` with every fault of the file. */
function readAgain(read: () => GatewayConfig): GatewayConfig {
  try {
    return read();
  } catch (error) {
    if (error instanceof ConfigError) throw new MeridianError('invalid_value', { message: error.message, cause: error });
    throw error;
  }
}

/** Resolves when no request is under way, or after `maxMs`. */
async function idle({ clock, inFlight }: GatewayDeps, maxMs: number): Promise<void> {
  const untilMs = clock.now() + maxMs;
  while (inFlight.inFlight > 0 && clock.now() < untilMs) await wait(clock, SWEEP_MS);
}
