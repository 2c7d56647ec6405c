import { fork, type ChildProcess } from 'node:child_process';

/** Where a worker is reached. */
export interface WorkerUrls {
  readonly publicUrl: string;
  readonly adminUrl: string;
  readonly fleetUrl: string | null;
}

/** What a worker tells the process that started it. */
export type WorkerReport = ({ readonly kind: 'up' } & WorkerUrls) | { readonly kind: 'ready' } | { readonly kind: 'failed'; readonly message: string };

/** One worker, from its start to its end. */
export class WorkerProcess {
  readonly slot: number;
  /** Resolves once it listens; rejects with its reason when it cannot. */
  readonly up: Promise<WorkerUrls>;
  /** Resolves once it can serve. */
  readonly ready: Promise<void>;
  /** Resolves when it has ended, with its exit code or the signal that ended it. */
  readonly ended: Promise<number | string>;
  readonly #child: ChildProcess;

  constructor(program: string, args: readonly string[], slot: number) {
    this.slot = slot;
    // Ctrl-C reaches the whole group of a terminal; workers are told by this process instead.
    this.#child = fork(program, [...args, String(slot)], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'], detached: true });
    const up = Promise.withResolvers<WorkerUrls>();
    const ready = Promise.withResolvers<void>();
    this.#child.on('message', (report: WorkerReport) => {
      if (report.kind === 'up') up.resolve(report);
      else if (report.kind === 'ready') ready.resolve();
      else up.reject(new Error(report.message));
    });
    this.ended = new Promise((resolve) => {
      this.#child.once('exit', (code, signal) => {
        up.reject(new Error(`worker ${slot} ended before it was up (${signal ?? `exit code ${code}`})`));
        resolve(signal ?? code ?? 0);
      });
    });
    this.up = up.promise;
    this.ready = ready.promise;
    this.up.catch(() => {});
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }
}
