import { noLog, seededRng, systemClock } from '../../../src/core/index.ts';
import { CANARY_DEFAULTS, startNodeDaemon, type NodeDaemon } from '../../../src/node/index.ts';
import { NO_FAULTS, startSimEngine, type AttemptRecord, type RequestFault, type SimEngine } from '../../../src/sim/index.ts';
import { MODEL, nodeOptions } from '../../support/test-fleet.ts';
import { FaultProxy } from '../fault-proxy.ts';
import type { FaultKind } from './chaos-plan.ts';

const STALLED = 1_000_000;
const SLOW = 6;
const FLAKY: readonly RequestFault[] = [
  { kind: 'reset', afterTokens: 7, times: null, probability: 0.15 },
  { kind: 'truncate', afterTokens: 15, times: null, probability: 0.15 },
  { kind: 'empty', times: null, probability: 0.1 },
  { kind: 'error503', times: null, probability: 0.1 },
];
const LOG_PAGE = 10_000;

/** One node of the fleet: an engine, its daemon, and the line to the gateway, each of which can be hurt and mended. */
export class ChaosNode {
  readonly id: string;
  readonly region: string;
  readonly #line: FaultProxy;
  readonly #fleetPath: string;
  readonly #seed: number;
  #engine: SimEngine;
  #daemon: NodeDaemon | null = null;
  #seen = 0;

  private constructor(id: string, region: string, line: FaultProxy, fleetPath: string, engine: SimEngine, seed: number) {
    this.id = id;
    this.region = region;
    this.#line = line;
    this.#fleetPath = fleetPath;
    this.#engine = engine;
    this.#seed = seed;
  }

  static async start(id: string, region: string, fleetUrl: string, seed: number): Promise<ChaosNode> {
    const { hostname, port, pathname } = new URL(fleetUrl);
    const line = await FaultProxy.start({ host: hostname, port: Number(port) }, { clock: systemClock, rng: seededRng(seed) });
    const node = new ChaosNode(id, region, line, pathname, await startSimEngine({ model: MODEL, seed }), seed);
    await node.#startDaemon();
    return node;
  }

  /** What ended in the engine since it was last asked. */
  endedSince(): readonly AttemptRecord[] {
    const records = this.#engine.server.log.list(this.#seen, LOG_PAGE);
    this.#seen = records.at(-1)?.sequence ?? this.#seen;
    return records;
  }

  async hurt(kind: FaultKind): Promise<void> {
    const { faults } = this.#engine;
    switch (kind) {
      case 'kill-engine':
        return this.#engine.close();
      case 'kill-node':
        await this.#line.refuse(true);
        this.#line.breakAll('reset');
        await Promise.all([this.#daemon?.close(), this.#engine.close()]);
        return;
      case 'stall-engine':
        return faults.set({ ...NO_FAULTS, slowdown: STALLED });
      case 'slow-engine':
        return faults.set({ ...NO_FAULTS, slowdown: SLOW });
      case 'cut-link':
        return this.#line.cutAfter('up', 2_000, 'reset');
      case 'stall-link':
      case 'lose-region':
        this.#line.set('up', { isStalled: true });
        return this.#line.set('down', { isStalled: true });
      case 'bad-line':
        this.#line.set('up', { latencyMs: 40, jitterMs: 60, sliceBytesMax: 700 });
        return this.#line.set('down', { latencyMs: 40, jitterMs: 60, sliceBytesMax: 700 });
      case 'fail-fast':
        return faults.set({ ...NO_FAULTS, requests: [{ kind: 'error503', times: null, probability: 1 }] });
      case 'flaky-engine':
        return faults.set({ ...NO_FAULTS, requests: FLAKY });
    }
  }

  async mend(kind: FaultKind): Promise<void> {
    await this.#line.heal();
    // A step that was begun at the pace of a stalled engine never ends: what comes back is another engine.
    const isAnother = kind === 'kill-engine' || kind === 'kill-node' || kind === 'stall-engine';
    if (kind === 'stall-engine') await this.#engine.close();
    if (isAnother) {
      const { port } = this.#engine;
      this.#engine = await startSimEngine({ model: MODEL, seed: this.#seed, port });
      this.#seen = 0;
    } else this.#engine.faults.clear();
    if (kind === 'kill-node') await this.#startDaemon();
  }

  async close(): Promise<void> {
    await this.#daemon?.close();
    await this.#line.close();
    await this.#engine.close();
  }

  async #startDaemon(): Promise<void> {
    const options = nodeOptions(this.id, this.region, this.#engine.url, `ws://127.0.0.1:${this.#line.port}${this.#fleetPath}`);
    this.#daemon = await startNodeDaemon({ ...options, canary: CANARY_DEFAULTS, link: { ...options.link, pingMs: 500 } }, { clock: systemClock, rng: seededRng(this.#seed), log: noLog });
  }
}
