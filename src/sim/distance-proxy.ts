import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { pipeline, Transform, type TransformCallback } from 'node:stream';
import type { Cancel, Clock, Rng } from '../core/index.ts';

export interface DistanceProxyOptions {
  readonly target: { readonly host: string; readonly port: number };
  /** Added to each direction. */
  readonly oneWayMs: number;
  /** Up to so much more, drawn anew for every piece; order is kept. */
  readonly jitterMs: number;
  readonly clock: Clock;
  readonly rng: Rng;
  /** Bytes under way per direction before the sender is held back. Default: 4 MiB. */
  readonly bytesMax?: number | undefined;
  /** Default: any free one. */
  readonly port?: number | undefined;
}

export interface DistanceProxy {
  readonly port: number;
  /** Breaks all connections and refuses new ones, as a lost line does. */
  cut(): void;
  /** Takes connections again. */
  restore(): void;
  close(): Promise<void>;
}

const BYTES_MAX = 4 * 1_024 * 1_024;

/** A TCP proxy on loopback that puts a network distance between its clients and `target`. */
export async function startDistanceProxy(options: DistanceProxyOptions): Promise<DistanceProxy> {
  const sockets = new Set<Socket>();
  let isCut = false;
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (near) => {
    if (isCut) return void near.resetAndDestroy();
    const far = connect({ ...options.target, allowHalfOpen: true, noDelay: true });
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
    }
    // A break of either side breaks the other: pipeline() destroys both.
    const broken = (error: unknown): void => {
      if (error == null) return;
      near.destroy();
      far.destroy();
    };
    pipeline(near, new DelayLine(options), far, broken);
    pipeline(far, new DelayLine(options), near, broken);
  });
  server.listen(options.port ?? 0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const breakAll = (): void => {
    for (const socket of sockets) socket.resetAndDestroy();
  };
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    cut() {
      isCut = true;
      breakAll();
    },
    restore() {
      isCut = false;
    },
    close() {
      return new Promise((resolve) => {
        server.close(() => resolve());
        breakAll();
      });
    },
  };
}

/** Lets bytes out in order, each piece its delay after it came in. Holds the writer back beyond `bytesMax`. */
class DelayLine extends Transform {
  readonly #options: DistanceProxyOptions;
  readonly #bytesMax: number;
  readonly #line: { readonly dueAtMs: number; readonly piece: Buffer }[] = [];
  #bytes = 0;
  #lastDueAtMs = 0;
  #cancelTimer: Cancel | null = null;
  #waitingWriter: TransformCallback | null = null;
  #waitingEnd: TransformCallback | null = null;

  constructor(options: DistanceProxyOptions) {
    super();
    this.#options = options;
    this.#bytesMax = options.bytesMax ?? BYTES_MAX;
  }

  override _transform(piece: Buffer, _encoding: string, done: TransformCallback): void {
    const { clock, rng, oneWayMs, jitterMs } = this.#options;
    const dueAtMs = Math.max(this.#lastDueAtMs, clock.now() + oneWayMs + rng.next() * jitterMs);
    this.#lastDueAtMs = dueAtMs;
    this.#line.push({ dueAtMs, piece });
    this.#bytes += piece.length;
    this.#schedule();
    this.#waitingWriter = done;
    this.#releaseWriter();
  }

  override _read(size: number): void {
    super._read(size);
    this.#releaseWriter();
  }

  /** The end of a stream travels as far as its bytes. */
  override _flush(done: TransformCallback): void {
    this.#waitingEnd = done;
    const { clock, oneWayMs } = this.#options;
    this.#line.push({ dueAtMs: Math.max(this.#lastDueAtMs, clock.now() + oneWayMs), piece: Buffer.alloc(0) });
    this.#schedule();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#cancelTimer?.();
    this.#line.length = 0;
    done(error);
  }

  #schedule(): void {
    const first = this.#line[0];
    if (first === undefined || this.#cancelTimer !== null) return;
    const { clock } = this.#options;
    this.#cancelTimer = clock.after(Math.max(0, first.dueAtMs - clock.now()), () => this.#letOut());
  }

  #letOut(): void {
    this.#cancelTimer = null;
    const now = this.#options.clock.now();
    let out = 0;
    for (const { dueAtMs, piece } of this.#line) {
      // Timers may fire a fraction of a millisecond early.
      if (dueAtMs > now + 0.5) break;
      out += 1;
      this.#bytes -= piece.length;
      if (piece.length > 0) this.push(piece);
    }
    this.#line.splice(0, out);
    this.#schedule();
    this.#releaseWriter();
    if (this.#line.length > 0 || this.#waitingEnd === null) return;
    const end = this.#waitingEnd;
    this.#waitingEnd = null;
    end();
  }

  #releaseWriter(): void {
    // What left the line but not yet this process counts as well.
    if (this.#waitingWriter === null || this.#bytes + this.readableLength >= this.#bytesMax) return;
    const writer = this.#waitingWriter;
    this.#waitingWriter = null;
    writer();
  }
}
