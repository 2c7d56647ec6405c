import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { DemoConfig } from '../config/index.ts';
import { MeridianError, systemClock, type Logger } from '../core/index.ts';

const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
const REGION_PROGRAM = fileURLToPath(new URL(`./demo-region.${extension}`, import.meta.url));
const STOP_MS = 3_000;

/** What the process of a region is told first. */
export interface RegionOrder {
  readonly region: DemoConfig['demo']['regions'][number];
  readonly engine: DemoConfig['demo']['engine'];
  readonly timeScale: number;
  readonly models: readonly string[];
  readonly contextTokens: number;
}

/** What it is told once the gateway listens. */
export interface JoinOrder {
  readonly fleetUrl: string;
  readonly token: string;
}

/** The nodes of one region, in a process of their own; they go when it goes, and it goes when this process goes. */
export class RegionProcess {
  /** Rejects when the process ends by itself. */
  readonly failed: Promise<never>;
  readonly #child: ChildProcess;
  readonly #token: string;
  #isStopping = false;

  constructor(region: RegionOrder['region'], config: DemoConfig, log: Logger) {
    this.#token = String(config.listen.fleet?.token);
    // Ctrl-C reaches the whole group of a terminal; these are told by this process instead, when streams are done.
    this.#child = fork(REGION_PROGRAM, { stdio: ['ignore', 'ignore', 'pipe', 'ipc'], detached: true });
    this.#child.stderr?.on('data', (bytes: Buffer) => log.warn({ region: region.name, text: bytes.toString().trim() }, 'region says'));
    this.failed = new Promise((_resolve, reject) => {
      this.#child.once('exit', (code, signal) => {
        if (this.#isStopping) return;
        const message = `The process of region ${region.name} ended by itself (${signal ?? `exit code ${code}`}).`;
        log.error({ region: region.name, code, signal }, 'region ended');
        reject(new MeridianError('internal_error', { message }));
      });
    });
    this.failed.catch(() => {});
    const models = Object.keys(config.models);
    const contextTokens = Math.min(...Object.values(config.models).map((model) => model.contextTokens));
    const order: RegionOrder = { region, engine: config.demo.engine, timeScale: config.demo.timeScale, models, contextTokens };
    this.#child.send(order);
  }

  /** The gateway listens: the region's nodes may dial. */
  join(fleetUrl: string): void {
    const order: JoinOrder = { fleetUrl, token: this.#token };
    if (this.#child.connected) this.#child.send(order);
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    const cancelKill = systemClock.after(STOP_MS, () => this.#child.kill('SIGKILL'));
    await exited;
    cancelKill();
  }
}
