import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { createConnection, createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const READY_WITHIN_MS = 30_000;
const STOP_WITHIN_MS = 5_000;
const POLL_MS = 25;
const MEMORY_PROBE = new URL('./memory-probe.ts', import.meta.url).href;

const running = new Set<Child>();
process.on('exit', () => {
  for (const child of running) child.kill();
});

export interface ChildOptions {
  /** Names the log file, in `workDir`. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly workDir: string;
  readonly env?: Readonly<Record<string, string>>;
  /** With a channel for messages; for Node programs. */
  readonly hasChannel?: boolean;
}

/** A process of the benchmark; it does not outlive it. */
export class Child {
  readonly workDir: string;
  readonly #process: ChildProcess;
  readonly #logPath: string;
  readonly #name: string;

  constructor(options: ChildOptions) {
    this.workDir = options.workDir;
    this.#name = options.name;
    this.#logPath = join(options.workDir, `${options.name}.log`);
    const log = openSync(this.#logPath, 'a');
    this.#process = spawn(options.command, options.args, {
      env: { ...process.env, ...options.env },
      // Figures may be NaN, which JSON would turn into null.
      serialization: 'advanced',
      stdio: ['ignore', log, log, ...(options.hasChannel === true ? (['ipc'] as const) : [])],
    });
    closeSync(log);
    running.add(this);
    this.#process.on('exit', () => running.delete(this));
    this.#process.on('error', () => running.delete(this));
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  /** Sends one message and resolves with the next that comes back. */
  ask<Answer>(message: object): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const onExit = (): void => reject(this.#failure('ended before it answered'));
      this.#process.once('exit', onExit);
      this.#process.once('message', (answer) => {
        this.#process.off('exit', onExit);
        resolve(answer as Answer);
      });
      this.#process.send(message);
    });
  }

  /** Bytes in the JavaScript heap and in buffers outside it, after a collection. For children of `nodeChild` with a probe. */
  heapBytes(): Promise<number> {
    return this.ask<number>({ kind: 'heap-bytes' });
  }

  /** Resolves with the first line the process writes. */
  async firstLine(): Promise<string> {
    await this.#until('wrote nothing', async () => this.#log().includes('\n'));
    return this.#log().split('\n', 1)[0] ?? '';
  }

  /** Resolves when something accepts connections on `port` of 127.0.0.1. */
  listensOn(port: number): Promise<void> {
    return this.#until(`does not listen on ${port}`, () => accepts(port));
  }

  /** Resolves when `url` answers 200. */
  answersAt(url: string): Promise<void> {
    return this.#until(`is not ready at ${url}`, () => fetch(url).then((answer) => answer.ok, () => false));
  }

  /** Asks the process to end, and makes it end when it does not. */
  async stop(): Promise<void> {
    if (!running.has(this)) return;
    const ended = new Promise((resolve) => this.#process.once('exit', resolve));
    this.#process.kill('SIGTERM');
    const forced = setTimeout(() => this.kill(), STOP_WITHIN_MS);
    await ended;
    clearTimeout(forced);
  }

  kill(): void {
    this.#process.kill('SIGKILL');
  }

  async #until(complaint: string, isSo: () => Promise<boolean>): Promise<void> {
    const untilMs = performance.now() + READY_WITHIN_MS;
    while (!(await isSo())) {
      if (!running.has(this)) throw this.#failure('ended');
      if (performance.now() > untilMs) throw this.#failure(complaint);
      await sleep(POLL_MS);
    }
  }

  #log(): string {
    return readFileSync(this.#logPath, 'utf8');
  }

  #failure(complaint: string): Error {
    return new Error(`${this.#name} ${complaint}. Its log ends:\n${this.#log().slice(-2000)}`);
  }
}

/** Stops the processes that were started with this work directory. */
export async function stopChildrenIn(workDir: string): Promise<void> {
  await Promise.all([...running].filter((child) => child.workDir === workDir).map((child) => child.stop()));
}

/** A program under this very Node. With `hasProbe` it can tell its heap, without a change in the program. */
export function nodeChild(options: Omit<ChildOptions, 'command' | 'hasChannel'> & { readonly hasProbe: boolean }): Child {
  const probe = options.hasProbe ? ['--expose-gc', '--import', MEMORY_PROBE] : [];
  return new Child({ ...options, command: process.execPath, args: [...probe, ...options.args], hasChannel: options.hasProbe });
}

/** A port of 127.0.0.1 that is free now. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ port, host: '127.0.0.1' });
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}
