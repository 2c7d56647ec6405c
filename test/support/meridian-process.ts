import { spawn, type ChildProcess } from 'node:child_process';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { until } from './until.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** One `meridian …` as a process of its own, with everything it wrote. */
export class MeridianProcess {
  stdout = '';
  stderr = '';
  /** Null while it runs; a signal's name when one ended it. */
  ended: number | string | null = null;
  readonly #child: ChildProcess;

  /** `program`: another one than the command line. `through`: a command that runs it in its place, as `ip netns exec NAME`. */
  constructor(args: readonly string[], env: Readonly<Record<string, string>> = {}, program = 'src/main.ts', through: readonly string[] = []) {
    // A process group of its own, so that a test can see whether anything of it is left.
    const [command = '', ...words] = [...through, process.execPath, program, ...args];
    this.#child = spawn(command, words, {
      cwd: ROOT,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env['PATH'], HOME: process.env['HOME'], NODE_COMPILE_CACHE: join(ROOT, 'node_modules', '.cache', 'node'), ...env },
    });
    this.#child.stdout?.on('data', (bytes: Buffer) => (this.stdout += bytes.toString()));
    this.#child.stderr?.on('data', (bytes: Buffer) => (this.stderr += bytes.toString()));
    // `close` comes when all it wrote has been read.
    this.#child.once('close', (code, signal) => (this.ended = signal ?? code));
  }

  get pid(): number {
    return Number(this.#child.pid);
  }

  /** Every line of stdout that is a JSON object. */
  get logged(): Record<string, unknown>[] {
    return this.stdout.split('\n').filter((line) => line.startsWith('{') && line.endsWith('}')).map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  /** Resolves once stdout holds `text`; rejects when the process ends before. */
  async prints(text: string, patienceMs?: number): Promise<this> {
    await until(() => this.ended !== null || this.stdout.includes(text), `the process prints "${text}"`, patienceMs);
    if (!this.stdout.includes(text)) throw new Error(`the process ended (${this.ended}) without printing "${text}": ${this.stderr}`);
    return this;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Sends a signal and resolves with the exit code, or the name of the signal that ended it. */
  async end(signal: NodeJS.Signals = 'SIGKILL'): Promise<number | string | null> {
    this.#child.kill(signal);
    return this.exited();
  }

  async exited(): Promise<number | string | null> {
    await until(() => this.ended !== null, 'the process ends');
    return this.ended;
  }
}

/** Runs a command to its end. */
export async function meridian(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<MeridianProcess> {
  const process = new MeridianProcess(args, env);
  await process.exited();
  return process;
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
