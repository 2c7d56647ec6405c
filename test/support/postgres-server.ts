import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { accessSync, chmodSync, chownSync, constants, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Client } from 'pg';
import { freePort } from './meridian-process.ts';
import { until } from './until.ts';

const run = promisify(execFile);
/** One that was killed reads its log first. */
const START_MS_MAX = 60_000;

/** Where PostgreSQL's own programs are, as Debian has them or on the path; null where it is not installed. */
const PROGRAMS = programs();

/** For `describe.skipIf`: tests that need a PostgreSQL server, which CI always has. */
export const hasPostgres = PROGRAMS !== null;

/** A PostgreSQL server of the test's own, in a folder of its own. */
export class PostgresServer {
  readonly port: number;
  readonly #directory: string;
  readonly #settings: readonly string[];
  #child: ChildProcess | null = null;
  #databases = 0;

  private constructor(directory: string, port: number, settings: readonly string[]) {
    this.#directory = directory;
    this.#settings = settings;
    this.port = port;
  }

  /**
   * `durable`: what is committed survives a power cut, as in production. Without it what is committed survives the end of the server, however it
   * ends, which is all that a test can bring about.
   */
  static async start(durable = false): Promise<PostgresServer> {
    const directory = mkdtempSync(join(tmpdir(), 'meridian-postgres-'));
    const server = new PostgresServer(directory, await freePort(), durable ? [] : ['fsync=off']);
    const user = unprivileged();
    if (user !== null) chownSync(directory, user.uid, user.gid);
    chmodSync(directory, 0o700);
    await run(join(String(PROGRAMS), 'initdb'), ['-D', server.#data, '-U', 'meridian', '--auth=trust', '-E', 'UTF8', '--no-sync'], { ...user, cwd: directory });
    await server.up();
    return server;
  }

  get #data(): string {
    return join(this.#directory, 'data');
  }

  /** Starts it again after `stop` or `kill`, on the same port; resolves when it answers. */
  async up(): Promise<void> {
    const settings = [`port=${this.port}`, 'listen_addresses=127.0.0.1', `unix_socket_directories=${this.#directory}`, 'max_connections=200', 'shared_buffers=64MB', ...this.#settings];
    const child = spawn(join(String(PROGRAMS), 'postgres'), ['-D', this.#data, ...settings.flatMap((setting) => ['-c', setting])], { ...unprivileged(), cwd: this.#directory, stdio: 'ignore' });
    this.#child = child;
    await until(() => this.#answers(), 'PostgreSQL answers', START_MS_MAX);
  }

  /** A new database, empty or like the one at `template`, to which nobody may be connected; its URL. */
  async database(template?: string): Promise<string> {
    this.#databases += 1;
    const name = `test_${this.#databases}`;
    const like = template === undefined ? '' : ` TEMPLATE ${new URL(template).pathname.slice(1)}`;
    await this.query(this.url('postgres'), `CREATE DATABASE ${name}${like}`);
    return this.url(name);
  }

  url(database: string): string {
    return `postgres://meridian@127.0.0.1:${this.port}/${database}`;
  }

  async query(url: string, text: string): Promise<readonly Record<string, unknown>[]> {
    const client = new Client({ connectionString: url, connectionTimeoutMillis: 1_000 });
    client.on('error', () => {});
    await client.connect();
    try {
      return (await client.query<Record<string, unknown>>(text)).rows;
    } finally {
      await client.end();
    }
  }

  /** `SIGINT` ends it in good order, cutting its clients; `SIGQUIT` at once, as a crash does. `SIGSTOP` hangs it, until `SIGCONT`. */
  signal(signal: 'SIGINT' | 'SIGQUIT' | 'SIGSTOP' | 'SIGCONT'): void {
    this.#child?.kill(signal);
  }

  async stop(signal: 'SIGINT' | 'SIGQUIT' = 'SIGINT'): Promise<void> {
    const child = this.#child;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGCONT');
    child.kill(signal);
    await ended;
    this.#child = null;
  }

  /** Ends it and removes what it kept. */
  async close(): Promise<void> {
    await this.stop('SIGQUIT');
    rmSync(this.#directory, { recursive: true, force: true });
  }

  async #answers(): Promise<boolean> {
    try {
      await this.query(this.url('postgres'), 'SELECT 1');
      return true;
    } catch {
      return false;
    }
  }
}

function programs(): string | null {
  const debian = '/usr/lib/postgresql';
  const versions = entries(debian).toSorted((a, b) => Number(b) - Number(a)).map((version) => join(debian, version, 'bin'));
  const candidates = [...versions, ...(process.env['PATH'] ?? '').split(':')];
  return candidates.find((directory) => isProgram(join(directory, 'initdb')) && isProgram(join(directory, 'postgres'))) ?? null;
}

function entries(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** PostgreSQL refuses to run as root: then it runs as nobody. Null for everybody else. */
function unprivileged(): { uid: number; gid: number } | null {
  return process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : null;
}
