import { execFile } from 'node:child_process';
import type { Cancel, Clock, Logger } from '../core/index.ts';

/** One GPU as its driver tells. Null is unknown, or not supported by it. */
export interface GpuFacts {
  readonly index: number;
  readonly name: string;
  readonly memoryBytes: number | null;
  readonly memoryUsedBytes: number | null;
  /** Share of the last second in which it worked. */
  readonly utilization: number | null;
  readonly celsius: number | null;
  readonly watts: number | null;
  /** Memory errors since the driver was loaded that could not be corrected. */
  readonly uncorrectedErrors: number | null;
}

export interface GpuWatchOptions {
  /** NVIDIA's `nvidia-smi`; where there is none, nothing is known of GPUs. */
  readonly program: string;
  readonly everyMs: number;
  readonly clock: Clock;
  readonly log: Logger;
}

const FIELDS = ['index', 'name', 'memory.total', 'memory.used', 'utilization.gpu', 'temperature.gpu', 'power.draw', 'ecc.errors.uncorrected.volatile.total'];
const TIMEOUT_MS = 20_000;
const MIB = 1_048_576;

/** Asks the driver how the machine's GPUs are, and says when one of them should get no work. */
export class GpuWatch {
  readonly #options: GpuWatchOptions;
  readonly #onFault: () => void;
  #facts: readonly GpuFacts[] = [];
  /** The most that were ever seen. */
  #count = 0;
  #fault: string | null = null;
  #isAsking = false;
  #cancel: Cancel = () => {};

  /** `onFault`: what is wrong with them has changed. */
  constructor(options: GpuWatchOptions, onFault: () => void) {
    this.#options = options;
    this.#onFault = onFault;
  }

  get facts(): readonly GpuFacts[] {
    return this.#facts;
  }

  /** Why this machine's GPUs should get no work; null while all is well, or where none are known. */
  get fault(): string | null {
    return this.#fault;
  }

  start(): void {
    this.#cancel = this.#options.clock.every(this.#options.everyMs, () => this.#ask());
    this.#ask();
  }

  stop(): void {
    this.#cancel();
  }

  #ask(): void {
    if (this.#isAsking) return;
    this.#isAsking = true;
    const query = [`--query-gpu=${FIELDS.join(',')}`, '--format=csv,noheader,nounits'];
    execFile(this.#options.program, query, { timeout: TIMEOUT_MS }, (error, stdout) => {
      this.#isAsking = false;
      if (Reflect.get(Object(error), 'code') === 'ENOENT') return this.#stopAsking();
      this.#take(error === null ? parseGpus(stdout) : [], error === null ? null : `${this.#options.program} fails: ${stdout.trim() || error.message}`);
    });
  }

  #stopAsking(): void {
    this.#options.log.info({ program: this.#options.program }, 'there is no such program: nothing is known of GPUs');
    this.stop();
  }

  #take(facts: readonly GpuFacts[], failure: string | null): void {
    this.#facts = facts;
    this.#count = Math.max(this.#count, facts.length);
    const fault = failure ?? faultOf(facts, this.#count);
    if (fault === this.#fault) return;
    this.#fault = fault;
    if (fault === null) this.#options.log.info({}, 'the GPUs are well again');
    else this.#options.log.error({ reason: fault }, 'a GPU is not well');
    this.#onFault();
  }
}

function faultOf(facts: readonly GpuFacts[], count: number): string | null {
  const broken = facts.find(({ uncorrectedErrors }) => (uncorrectedErrors ?? 0) > 0);
  if (broken !== undefined) return `GPU ${broken.index} has ${broken.uncorrectedErrors} memory errors that could not be corrected: reset or replace it`;
  return facts.length < count ? `${count - facts.length} of ${count} GPUs are gone` : null;
}

/** Lines of `nvidia-smi --query-gpu`, in the order of `FIELDS`; a line that is none of a GPU is left out. */
export function parseGpus(csv: string): GpuFacts[] {
  return csv.split('\n').flatMap((line) => {
    const cells = line.split(',').map((cell) => cell.trim());
    const index = numberOf(cells[0]);
    if (cells.length !== FIELDS.length || index === null) return [];
    const [total, used, utilization, celsius, watts, errors] = cells.slice(2).map(numberOf);
    return {
      index,
      name: cells[1] ?? '',
      memoryBytes: times(total, MIB),
      memoryUsedBytes: times(used, MIB),
      utilization: times(utilization, 0.01),
      celsius: celsius ?? null,
      watts: watts ?? null,
      uncorrectedErrors: errors ?? null,
    };
  });
}

/** What is not supported says so in brackets. */
function numberOf(cell = ''): number | null {
  return /^\d+(\.\d+)?$/.test(cell) ? Number(cell) : null;
}

function times(value: number | null | undefined, factor: number): number | null {
  return value == null ? null : value * factor;
}
