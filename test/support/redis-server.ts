import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { freePort } from './meridian-process.ts';
import { until } from './until.ts';

/** For `describe.skipIf`: tests that need `redis-server`, which CI always has. */
export const hasRedis = isInstalled('redis-server');

/** A Redis server of the test's own. */
export class RedisServer {
  readonly port: number;
  readonly #directory: string;
  readonly #settings: readonly string[];
  #child: ChildProcess | null = null;

  private constructor(port: number, directory: string, settings: readonly string[]) {
    this.port = port;
    this.#directory = directory;
    this.#settings = settings;
  }

  /** `settings`: as on the command line of `redis-server`, e.g. `['--cluster-enabled', 'yes']`. */
  static async start(settings: readonly string[] = []): Promise<RedisServer> {
    const server = new RedisServer(await freePort(), mkdtempSync(join(tmpdir(), 'meridian-redis-')), settings);
    await server.up();
    return server;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /** Starts it again after `stop`, on the same port and empty; resolves when it answers. */
  async up(): Promise<void> {
    const base = ['--port', String(this.port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', this.#directory];
    this.#child = spawn('redis-server', [...base, ...this.#settings], { stdio: 'ignore' });
    await until(() => this.#answers(), 'Redis answers');
  }

  /** `SIGSTOP` hangs it, until `SIGCONT`. */
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#child?.kill(signal);
  }

  async stop(): Promise<void> {
    const child = this.#child;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
    this.#child = null;
  }

  /** A client for the test itself. */
  client(): Redis {
    return new Redis(this.port, '127.0.0.1', { maxRetriesPerRequest: 1 });
  }

  async close(): Promise<void> {
    await this.stop();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  async #answers(): Promise<boolean> {
    const client = new Redis(this.port, '127.0.0.1', { lazyConnect: true, enableReadyCheck: false, retryStrategy: () => null, connectTimeout: 500, maxRetriesPerRequest: 0 });
    let refusal = '';
    client.on('error', (error) => (refusal = String(error)));
    try {
      await client.connect();
      return (await client.ping()) === 'PONG';
    } catch {
      // Who asks for a password is there.
      return refusal.includes('NOAUTH');
    } finally {
      client.disconnect();
    }
  }
}

function isInstalled(program: string): boolean {
  try {
    execFileSync(program, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
