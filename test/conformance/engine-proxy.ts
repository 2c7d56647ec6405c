import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { seededRng, type Rng } from '../../src/core/index.ts';

export interface EngineProxy {
  readonly url: string;
  /** Everything that was sent to the engine, as it stood on the wire. */
  sent(): string;
  close(): Promise<void>;
}

const PIECE_BYTES_MAX = 24;

/** Stands before an engine, keeps what it gets, and cuts what it answers into pieces of a few bytes, anywhere. */
export async function startEngineProxy(engineUrl: () => string): Promise<EngineProxy> {
  const rng = seededRng(7);
  const sent: Buffer[] = [];
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (client) => {
    const engine = connect({ host: '127.0.0.1', port: Number(new URL(engineUrl()).port) });
    for (const socket of [client, engine]) {
      sockets.add(socket);
      socket.on('error', () => socket.destroy());
    }
    client.on('data', (bytes: Buffer) => {
      sent.push(bytes);
      engine.write(bytes);
    });
    let last = Promise.resolve();
    engine.on('data', (bytes: Buffer) => {
      last = last.then(() => writeInPieces(bytes, client, rng));
    });
    engine.on('close', () => void last.then(() => client.destroy()));
    client.on('close', () => engine.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    sent: () => Buffer.concat(sent).toString(),
    close() {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

async function writeInPieces(bytes: Buffer, to: Socket, rng: Rng): Promise<void> {
  for (let at = 0; at < bytes.length && !to.destroyed; ) {
    const size = 1 + Math.floor(rng.next() * PIECE_BYTES_MAX);
    to.write(bytes.subarray(at, at + size));
    at += size;
    await new Promise(setImmediate);
  }
}
