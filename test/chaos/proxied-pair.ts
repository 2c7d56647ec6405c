import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { seededRng, systemClock, type Clock } from '../../src/core/index.ts';
import { until } from '../support/until.ts';
import { FaultProxy } from './fault-proxy.ts';

export const MIB = 1 << 20;
/** More than the system holds for one connection on its own. */
export const BEYOND_BUFFERS = 24 * MIB;
const PART = 1 << 16;

/** One end of a connection, which keeps what it gets. */
export class End {
  readonly #parts: Buffer[] = [];
  bytes = 0;
  /** `open`, `ended`, or the code of the error that broke it. */
  ending = 'open';
  readonly socket: Socket;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (bytes: Buffer) => {
      this.#parts.push(bytes);
      this.bytes += bytes.length;
    });
    socket.on('end', () => (this.ending = 'ended'));
    socket.on('error', (error: Error & { code?: string }) => (this.ending = String(error.code)));
  }

  get received(): Buffer {
    return Buffer.concat(this.#parts);
  }

  get text(): string {
    return this.received.toString();
  }

  get pieces(): readonly number[] {
    return this.#parts.map(({ length }) => length);
  }
}

/** A target behind a fault proxy, and the ends of every connection between them. */
export class ProxiedPair {
  /** What the target has of its connections, in the order they came. */
  readonly peers: End[] = [];
  readonly peer: Server;
  readonly proxy: FaultProxy;

  private constructor(peer: Server, proxy: FaultProxy) {
    this.peer = peer;
    this.proxy = proxy;
    peer.on('connection', (socket: Socket) => this.peers.push(new End(socket)));
  }

  /** `clock`: the proxy's. */
  static async start(clock: Clock = systemClock): Promise<ProxiedPair> {
    const peer = createServer({ allowHalfOpen: true, noDelay: true });
    peer.listen(0, '127.0.0.1');
    await once(peer, 'listening');
    const address = peer.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    return new ProxiedPair(peer, await FaultProxy.start({ host: '127.0.0.1', port }, { clock, rng: seededRng(7) }));
  }

  dial(): End {
    return new End(connect({ port: this.proxy.port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true }));
  }

  /** Dials, and resolves once the target has the connection. */
  async linked(): Promise<{ client: End; target: End }> {
    const before = this.peers.length;
    const client = this.dial();
    await until(() => this.peers.length > before, 'the connection reaches the target');
    return { client, target: this.peers.at(-1) as End };
  }

  async close(): Promise<void> {
    await this.proxy.close();
    for (const { socket } of this.peers) socket.destroy();
    this.peer.close();
  }
}

/** Sends more than the system holds, and counts what it has got rid of. */
export function flood({ socket }: End, bytes = Buffer.alloc(BEYOND_BUFFERS)): { taken: number } {
  const sent = { taken: 0 };
  for (let at = 0; at < bytes.length; at += PART) socket.write(bytes.subarray(at, at + PART), () => (sent.taken += PART));
  return sent;
}

/** Resolves once a flood has begun and many looks in a row find it where it was. */
export async function heldBack(sent: { readonly taken: number }): Promise<void> {
  let looks = 0;
  let before = 0;
  await until(() => {
    looks = sent.taken === before ? looks + 1 : 0;
    before = sent.taken;
    return sent.taken > MIB && looks === 20;
  }, 'the sender is held back');
}

/** The same bytes each time, without a pattern. */
export function noise(bytes: number): Buffer {
  const rng = seededRng(3);
  return Buffer.from(Uint8Array.from({ length: bytes }, () => Math.floor(rng.next() * 256)));
}
