/**
 * The plain way to write a streaming proxy in Node: `node bench/relay/http-relay.ts PORT ENGINE_PORT…` takes requests
 * with `node:http` and passes them on by undici's `dispatch`, one pool per engine in turn.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { Pool } from 'undici';

const [port = 0, ...enginePorts] = process.argv.slice(2).map(Number);
const pools = enginePorts.map((enginePort) => new Pool(`http://127.0.0.1:${enginePort}`, { pipelining: 1 }));
let turn = 0;

function relay(body: Buffer, request: IncomingMessage, response: ServerResponse): void {
  const pool = pools[turn % pools.length];
  turn += 1;
  if (pool === undefined) return void response.destroy();
  const options = { method: 'POST', path: request.url ?? '/', headers: { 'content-type': 'application/json' }, body } as const;
  pool.dispatch(options, {
    onRequestStart: (controller) => {
      response.on('drain', () => controller.resume());
      response.on('close', () => controller.abort(new Error('The client has gone.')));
    },
    onResponseStart: (_controller, status, headers) => {
      response.writeHead(status, { 'content-type': String(headers['content-type'] ?? 'application/json') });
    },
    onResponseData: (controller, bytes) => {
      if (!response.write(bytes)) controller.pause();
    },
    onResponseEnd: () => response.end(),
    onResponseError: () => response.destroy(),
  });
}

createServer((request, response) => {
  const parts: Buffer[] = [];
  request.on('data', (bytes: Buffer) => parts.push(bytes));
  request.on('end', () => relay(Buffer.concat(parts), request, response));
}).listen(port, '127.0.0.1', 4096);
