import type { Cancel, Clock, Logger, Rng } from '../core/index.ts';
import type { StateMessage } from '../link/index.ts';
import { EngineClient } from '../engine/index.ts';
import { AttemptRunner } from './attempt-runner.ts';
import { zeroCounters } from './counters.ts';
import type { EngineProcess } from './engine-process.ts';
import { EngineSense } from './engine-sense.ts';
import { EngineWatch, type EngineState } from './engine-watch.ts';
import { GatewayLinks } from './gateway-links.ts';
import { GpuWatch } from './gpu-watch.ts';
import { helloMessage, replicaIds } from './hello.ts';
import { LinkSession, type TakenLoad } from './link-session.ts';
import { LoadPoll } from './load-poll.ts';
import { LocalServer } from './local-server.ts';
import { requireLoopback } from './loopback.ts';
import { makeAdapter } from './make-adapter.ts';
import { makeProcess } from './make-process.ts';
import { NodeMetrics, type NodeGauges } from './node-metrics.ts';
import type { NodeStatus } from './node-status.ts';
import { PrefixPublisher } from './prefix-publisher.ts';
import { NODE_TUNING, type NodeDaemonOptions, type NodeTuning } from './options.ts';

export interface NodeDaemonDeps {
  readonly clock: Clock;
  readonly rng: Rng;
  readonly log: Logger;
}

/**
 * Starts a daemon in front of one engine; resolves once its local HTTP listens, while engine and links come up by
 * themselves. Throws NodeOptionsError, or the error of a port that cannot be had.
 */
export async function startNodeDaemon(options: NodeDaemonOptions, deps: NodeDaemonDeps): Promise<NodeDaemon> {
  requireLoopback(options.engine);
  const daemon = new NodeDaemon(options, deps);
  await daemon.start();
  return daemon;
}

/** A node's daemon: the engine's keeper, and its one voice to all gateways. Several may live in one process. */
export class NodeDaemon {
  readonly #options: NodeDaemonOptions;
  readonly #tuning: NodeTuning;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #counters = zeroCounters();
  readonly #metrics = new NodeMetrics();
  readonly #gpus: GpuWatch;
  readonly #client: EngineClient;
  readonly #watch: EngineWatch;
  readonly #sense: EngineSense;
  readonly #process: EngineProcess | null;
  readonly #poll: LoadPoll;
  readonly #runner: AttemptRunner;
  readonly #links: GatewayLinks;
  readonly #local: LocalServer;
  readonly #prefixes: PrefixPublisher;
  readonly #loads = new Map<number, TakenLoad>();
  #localPort = 0;
  #isDraining = false;
  #cancelDrain: Cancel = () => {};
  #closing: Promise<void> | null = null;

  constructor(options: NodeDaemonOptions, deps: NodeDaemonDeps) {
    this.#options = options;
    this.#tuning = { ...NODE_TUNING, ...options.tuning };
    this.#clock = deps.clock;
    this.#log = deps.log;
    const { clock, log } = deps;
    const { engine } = options;
    const tuning = this.#tuning;
    const counters = this.#counters;
    const client = new EngineClient({ ...tuning, url: engine.url, apiKey: engine.apiKey });
    const adapter = makeAdapter(engine, client, clock, (rank) => this.#runner.inFlightOf(rank), () => this.#watch.info);
    this.#client = client;
    this.#watch = new EngineWatch(
      { clock, log, client, adapter, counters, tuning, startTimeoutMs: engine.startTimeoutMs },
      {
        onState: (state) => this.#onEngineState(state),
        onIdentity: () => this.#onIdentity(),
        onStartTimeout: () => this.#process?.abandon(),
      },
    );
    const canary = { clock, log, client, adapter, model: String(options.models[0]), options: canaryWithin(options) };
    this.#sense = new EngineSense({ canary, silentMs: tuning.silentMs, inFlight: () => this.#runner.inFlight }, () => this.#onServing());
    this.#process = makeProcess(engine, tuning.stopGraceMs, counters, this.#watch, deps);
    this.#gpus = new GpuWatch({ program: tuning.gpuProgram, everyMs: tuning.gpuMs, clock, log }, () => this.#onServing());
    this.#prefixes = new PrefixPublisher(clock, options.link.prefixMs, () => this.#replicas().length, () => this.#links);
    this.#runner = new AttemptRunner({
      clock,
      log,
      client,
      adapter,
      counters,
      metrics: this.#metrics,
      tuning,
      rankOf: (replica) => {
        const rank = this.#replicas().indexOf(replica);
        return rank < 0 ? null : rank;
      },
      mirrorOf: (rank) => this.#prefixes.mirrorOf(rank),
      refusal: () => (this.#isDraining || this.#closing !== null ? 'The node is draining.' : null),
      onProgress: () => {
        this.#watch.progressed();
        this.#sense.progressed();
      },
      onUnreachable: (cause) => this.#watch.unreachable(cause),
      onWork: () => this.#poll.nudge(),
    });
    this.#poll = new LoadPoll(
      { clock, log, adapter, counters, rate: options.link, inFlight: () => this.#runner.inFlight },
      {
        onAsk: () => this.#links.each((session) => session.markSeen()),
        onReport: (load, takenAtMs) => {
          this.#loads.set(load.rank, { load, takenAtMs });
          this.#prefixes.mirrorOf(load.rank).sized(load.kvTokens, load.kvTokensUsed);
          this.#links.each((session) => session.sendLoad({ load, takenAtMs }));
        },
      },
    );
    const { gateways: urls, credentials } = options;
    this.#links = new GatewayLinks({ urls, credentials, max: tuning.gatewaysMax, renewMs: tuning.renewMs, clock, log, open: (url) => this.#openSession(url, deps) });
    this.#local = new LocalServer({
      notReady: () => this.#notReady(),
      metrics: () => this.#metrics.text(counters, this.#gauges()),
      status: () => this.status(),
      drain: () => void this.drain(),
      resume: () => this.resume(),
      flush: adapter.flush,
    });
  }

  /** Port of the local HTTP. */
  get localPort(): number {
    return this.#localPort;
  }

  async start(): Promise<void> {
    const { host, port } = this.#options.listen;
    this.#localPort = await this.#local.listen(host, port);
    this.#log.info({ node: this.#options.node.id, host, port: this.#localPort }, 'node daemon listens');
    if (this.#process === null) this.#watch.start();
    else this.#process.start();
    this.#gpus.start();
    this.#links.start();
  }

  /** Takes no new attempts. Resolves once every gateway knows and none runs; those still running after `drainMs` are stopped. */
  async drain(): Promise<void> {
    if (!this.#isDraining) {
      this.#isDraining = true;
      this.#log.info({ attempts: this.#runner.inFlight }, 'the node drains');
      this.#cancelDrain = this.#clock.after(this.#options.drainMs, () => this.#runner.stopAll('closing'));
      this.#links.each((session) => session.sendState());
    }
    // What a gateway opened before it knew is on its way, and is refused; to close before that would break it off instead.
    await this.#links.roundTrip();
    await this.#runner.idle();
  }

  /** Takes attempts again after a drain. */
  resume(): void {
    if (!this.#isDraining) return;
    this.#isDraining = false;
    this.#cancelDrain();
    this.#log.info({}, 'the node takes attempts again');
    this.#links.each((session) => session.sendState());
  }

  /** Stops everything at once: attempts, links, local HTTP, and the engine if it is ours. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** How everything stands, for people. */
  status(): NodeStatus {
    const { state, reason } = this.#state();
    const { node, engine, models } = this.#options;
    return {
      node: node.id,
      region: node.region,
      state,
      reason,
      engine: {
        kind: engine.kind,
        url: engine.url,
        pid: this.#process?.pid ?? null,
        epoch: this.#watch.epoch,
        version: this.#watch.info?.version ?? null,
      },
      models: [...models],
      attemptsInFlight: this.#runner.inFlight,
      loads: [...this.#loads.values()].map(({ load }) => load),
      gateways: [...this.#links].map((session) => session.status()),
      gpus: this.#gpus.facts,
      cacheMirror: { blocks: this.#prefixes.blocks, ...this.#prefixes.accuracy },
      counters: { ...this.#counters },
    };
  }

  async #close(): Promise<void> {
    this.#cancelDrain();
    this.#poll.stop();
    this.#prefixes.close();
    this.#watch.stop();
    this.#sense.stop();
    this.#gpus.stop();
    this.#runner.stopAll('closing');
    await this.#runner.idle();
    this.#links.close();
    await Promise.all([this.#local.close(), this.#process?.stop()]);
    await this.#client.close();
  }

  #openSession(url: string, deps: NodeDaemonDeps): LinkSession {
    return new LinkSession(url, {
      ...deps,
      options: this.#options,
      tuning: this.#tuning,
      counters: this.#counters,
      runner: this.#runner,
      hello: () => helloMessage(this.#options, this.#watch.epoch, this.#watch.info),
      state: () => this.#state(),
      replicaOf: (rank) => this.#replicas()[rank] ?? null,
      newestLoads: () => this.#loads.values(),
      onGreeted: (session) => this.#prefixes.introduce(session),
      onResync: (session, replica) => {
        const rank = this.#replicas().indexOf(replica);
        if (rank >= 0) this.#prefixes.snapshot(session, rank);
      },
      onOperation: (operation) => (operation === 'drain' ? void this.drain() : this.resume()),
      onMembers: (session, members) => this.#links.members(session, members),
      onCertificate: (certificate) => this.#links.certified(certificate),
    });
  }

  #onEngineState(state: EngineState): void {
    if (state.kind === 'ready') {
      this.#process?.ready();
      this.#poll.start();
      this.#sense.began();
    } else {
      this.#sense.ended();
      this.#poll.stop();
      this.#loads.clear();
    }
    this.#onServing();
  }

  #onServing(): void {
    this.#links.each((session) => session.sendState());
  }

  #onIdentity(): void {
    this.#loads.clear();
    this.#links.each((session) => session.introduce());
    this.#prefixes.clear();
  }

  #state(): StateMessage {
    const { kind, reason } = this.#watch.state;
    const doubt = kind === 'ready' ? this.#sense.doubt() : null;
    if (doubt !== null) return doubt;
    if (this.#gpus.fault !== null) return { type: 'state', state: 'unhealthy', reason: this.#gpus.fault };
    if (this.#isDraining && kind === 'ready') return { type: 'state', state: 'draining', reason: 'the node is being drained' };
    return { type: 'state', state: kind, reason };
  }

  #notReady(): string | null {
    const { state, reason } = this.#state();
    if (state !== 'ready') return reason;
    return this.#links.connected === 0 ? 'no gateway is linked' : null;
  }

  #gauges(): NodeGauges {
    const { gateways, cacheMirror, gpus } = this.status();
    const { credentials } = this.#options;
    return {
      attemptsInFlight: this.#runner.inFlight,
      gateways,
      cacheMirror,
      gpus,
      isReady: this.#notReady() === null,
      loads: [...this.#loads.values()].map(({ load }) => ({ replica: this.#replicas()[load.rank] ?? String(load.rank), load })),
      certificateExpiresAtMs: credentials.kind === 'token' ? null : credentials.identity.expiresAtMs,
    };
  }

  /** By rank. */
  #replicas(): string[] {
    return replicaIds(this.#options.node.id, this.#watch.info);
  }
}

/** A prompt that leaves room for its answer. */
function canaryWithin({ canary, contextTokens }: NodeDaemonOptions): NodeDaemonOptions['canary'] {
  return { ...canary, promptTokens: Math.min(canary.promptTokens, Math.floor(contextTokens / 2)) };
}
