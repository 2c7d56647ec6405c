import { spawn, type ChildProcess } from 'node:child_process';
import type { Cancel, Clock, Logger, Rng } from '../core/index.ts';
import { Backoff } from '../link/index.ts';

export interface EngineProcessOptions {
  /** Program and arguments; no shell reads them. */
  readonly command: readonly string[];
  readonly cwd?: string | undefined;
  readonly env: Readonly<Record<string, string>>;
  readonly restart: { readonly backoffMinMs: number; readonly backoffMaxMs: number };
  readonly stopGraceMs: number;
}

export interface EngineProcessEvents {
  onStarted(): void;
  /** It ended by itself; it is started again later. */
  onExited(reason: string): void;
}

type State =
  | { readonly kind: 'running'; readonly child: ChildProcess; readyAtMs: number | null }
  | { readonly kind: 'waiting'; readonly cancel: Cancel }
  | { readonly kind: 'stopped' };

const LOGGED_CHARS_MAX = 4_000;
/** Of its output, told when it ends. */
const LAST_CHARS = 2_000;

/**
 * The engine as a child of this daemon: started without a shell in a process group of its own, started again with
 * back-off when it ends, and stopped whole, with everything it started.
 */
export class EngineProcess {
  readonly #options: EngineProcessOptions;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #events: EngineProcessEvents;
  readonly #backoff: Backoff;
  #state: State = { kind: 'stopped' };
  /** Ends in a row without a lasting run between them. */
  #failures = 0;
  /** The end of what the run has written. */
  #lastWords = '';
  readonly #killAtExit = (): void => this.#kill('SIGKILL');

  constructor(options: EngineProcessOptions, deps: { clock: Clock; rng: Rng; log: Logger }, events: EngineProcessEvents) {
    this.#options = options;
    this.#clock = deps.clock;
    this.#log = deps.log;
    this.#events = events;
    this.#backoff = new Backoff({ minMs: options.restart.backoffMinMs, maxMs: options.restart.backoffMaxMs }, deps.rng);
  }

  get pid(): number | null {
    return this.#state.kind === 'running' ? (this.#state.child.pid ?? null) : null;
  }

  start(): void {
    process.on('exit', this.#killAtExit);
    this.#spawn();
  }

  /** The engine serves. A run that lasts from here on makes up for the failures before it. */
  ready(): void {
    if (this.#state.kind === 'running') this.#state.readyAtMs ??= this.#clock.now();
  }

  /** Ends a run that came to nothing; the next one follows as after any other end. */
  abandon(): void {
    this.#kill('SIGKILL');
  }

  /** Ends the engine for good: SIGTERM, and SIGKILL after the grace. */
  async stop(): Promise<void> {
    const state = this.#state;
    this.#state = { kind: 'stopped' };
    if (state.kind === 'waiting') state.cancel();
    if (state.kind === 'running') await this.#end(state.child);
    process.off('exit', this.#killAtExit);
  }

  #spawn(): void {
    const [program = '', ...args] = this.#options.command;
    const { cwd, env } = this.#options;
    const child = spawn(program, args, {
      cwd,
      env: { ...process.env, ...env },
      detached: true,
      shell: false,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#state = { kind: 'running', child, readyAtMs: null };
    this.#lastWords = '';
    this.#log.info({ pid: child.pid, program }, 'the engine was started');
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (text: Buffer) => {
        this.#lastWords = `${this.#lastWords}${text.toString('utf8')}`.slice(-LAST_CHARS);
        this.#log.debug({ text: text.toString('utf8', 0, LOGGED_CHARS_MAX).trimEnd() }, 'engine');
      });
    }
    child.once('error', (error) => {
      if (child.pid === undefined) this.#exited(child, `could not be started: ${error.message}`);
    });
    child.once('exit', (code, signal) => this.#exited(child, signal === null ? `exited with code ${code}` : `was ended by ${signal}`));
    this.#events.onStarted();
  }

  #exited(child: ChildProcess, how: string): void {
    signalGroup(child, 'SIGKILL');
    const state = this.#state;
    if (state.kind !== 'running' || state.child !== child) return;
    const { backoffMaxMs } = this.#options.restart;
    const hasLasted = state.readyAtMs !== null && this.#clock.now() - state.readyAtMs >= backoffMaxMs;
    if (hasLasted) this.#backoff.reset();
    this.#failures = hasLasted ? 1 : this.#failures + 1;
    const delayMs = this.#backoff.next();
    this.#state = { kind: 'waiting', cancel: this.#clock.after(delayMs, () => this.#spawn()) };
    const inARow = this.#failures > 1 ? `, ${this.#failures} times in a row` : '';
    const reason = `the engine ${how}${inARow}; it is started again in ${Math.round(delayMs)} ms`;
    this.#log.warn({ failures: this.#failures, retryMs: Math.round(delayMs), output: this.#lastWords.trimEnd() }, reason);
    this.#events.onExited(reason);
  }

  #end(child: ChildProcess): Promise<void> {
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
    return new Promise((resolve) => {
      const cancel = this.#clock.after(this.#options.stopGraceMs, () => signalGroup(child, 'SIGKILL'));
      child.once('exit', () => {
        cancel();
        resolve();
      });
      signalGroup(child, 'SIGTERM');
    });
  }

  #kill(signal: NodeJS.Signals): void {
    if (this.#state.kind === 'running') signalGroup(this.#state.child, signal);
  }
}

/** Signals the child and everything it started; a group that is gone is no error. */
function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch (error) {
    if (Reflect.get(Object(error), 'code') !== 'ESRCH') throw error;
  }
}
