/**
 * Stands for the engines of eight replicas: `node bench/relay/mock-engine.ts COUNT` listens on COUNT free ports of
 * 127.0.0.1 and prints them as one JSON line. It speaks as much of SGLang's surface as a node daemon asks of it.
 * `POST /mock/pace` on any port sets the pace of all.
 */
import { createServer, type AddressInfo, type Server } from 'node:net';
import { MockConnection, MockEngine } from './mock-replica.ts';
import type { Pace } from './pace.ts';

const count = Number(process.argv[2] ?? 8);
const engines = Array.from({ length: count }, (_, index) => new MockEngine(index / count));

function setPace(pace: Pace): void {
  for (const engine of engines) engine.setPace(pace);
}

function listen(engine: MockEngine): Promise<number> {
  const server: Server = createServer({ noDelay: true }, (socket) => new MockConnection(socket, engine, setPace));
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', 4096, () => resolve((server.address() as AddressInfo).port));
  });
}

console.log(JSON.stringify(await Promise.all(engines.map(listen))));
