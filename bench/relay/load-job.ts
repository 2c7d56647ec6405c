import type { Pace } from './pace.ts';

/** Where a connection of the load generator sends its requests. Connection i goes to target i modulo their number. */
export interface Target {
  /** On 127.0.0.1. */
  readonly port: number;
  readonly headers: Readonly<Record<string, string>>;
}

/** One measurement: load for a while, and what was used in a window of it. */
export interface Job {
  readonly request: 'json' | 'stream';
  readonly pace: Pace;
  readonly connections: number;
  /** Starts the connections one after the other over this time, so that they do not move in step. */
  readonly rampMs: number;
  /** Load before the window opens, on top of the ramp. */
  readonly warmUpMs: number;
  readonly windowMs: number;
  /** At most so many requests are sent in a second, evenly; without it each connection sends as fast as it is answered. */
  readonly requestsPerSecond?: number;
}

/** Whose CPU is read at both ends of the window. */
export interface Watched {
  readonly proxy: readonly number[];
  readonly nodes: readonly number[];
  readonly engine: readonly number[];
}

export interface LoadResult {
  /** Right answers that ended within the window. */
  readonly finished: number;
  /** Wrong or missing answers in the whole run. */
  readonly errors: number;
  /** The first few, in words. */
  readonly errorSamples: readonly string[];
  readonly windowMs: number;
  /** CPU time within the window, in nanoseconds. */
  readonly cpuNs: { readonly proxy: number; readonly nodes: number; readonly engine: number; readonly load: number };
  /** From sending to the end of the answer, of those that ended within the window. */
  readonly latencyMs: Percentiles;
  /** From sending to the first token; of streams alone. */
  readonly firstTokenMs: Percentiles;
  /**
   * Reads of the client's socket per answer, on average: of a paced stream of 64 tokens about 65, and fewer where the
   * proxy keeps tokens back to send several together.
   */
  readonly readsPerAnswer: number;
}

export interface Percentiles {
  readonly p50: number;
  readonly p99: number;
}

/** What the driver tells the load process. Each is answered by one `LoadReply`. */
export type LoadOrder =
  | { readonly kind: 'run'; readonly job: Job; readonly targets: readonly Target[]; readonly enginePort: number; readonly watched: Watched }
  | { readonly kind: 'hold'; readonly streams: number; readonly targets: readonly Target[]; readonly enginePort: number }
  | { readonly kind: 'release' };

export type LoadReply =
  | { readonly kind: 'result'; readonly result: LoadResult }
  | { readonly kind: 'held'; readonly streams: number }
  | { readonly kind: 'released' }
  | { readonly kind: 'failed'; readonly message: string };
