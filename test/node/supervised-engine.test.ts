import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { noLog, seededRng, systemClock } from '../../src/core/index.ts';
import { startNodeDaemon, type NodeDaemon } from '../../src/node/index.ts';
import { FakeGateway } from '../support/fake-gateway.ts';
import { nodeOptions } from '../support/node-under-test.ts';
import { eventually } from '../support/eventually.ts';

const DEPS = { clock: systemClock, rng: seededRng(1), log: noLog };
const SERVER = `
  const { createServer } = require('node:http');
  createServer((request, response) => {
    if (request.url === '/v1/loads') return response.end('{"loads":[{"dp_rank":0,"num_running_reqs":0,"num_waiting_reqs":0}]}');
    response.end('{}');
  }).listen(Number(process.env.PORT), '127.0.0.1');
`;

let daemon: NodeDaemon | null = null;
let gateway: FakeGateway;

afterEach(async () => {
  await daemon?.close();
  await gateway.stop();
});

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return port;
}

async function start(script: string): Promise<void> {
  gateway = new FakeGateway();
  await gateway.start();
  const port = await freePort();
  const options = nodeOptions(`http://127.0.0.1:${port}`, [gateway.url]);
  const command = [process.execPath, '-e', script];
  daemon = await startNodeDaemon({ ...options, engine: { ...options.engine, command, env: { PORT: String(port) } } }, DEPS);
}

test('an engine that crashes is started again, with another epoch, and ends with its daemon', async () => {
  await start(SERVER);
  await eventually(() => expect(gateway.state).toBe('ready'));
  const first = daemon?.status();
  process.kill(first?.engine.pid ?? 0, 'SIGKILL');
  await eventually(() => expect(gateway.states.some(({ reason }) => reason.includes('was ended by SIGKILL'))).toBe(true));
  await eventually(() => expect(gateway.state).toBe('ready'));
  const second = daemon?.status();
  expect(second?.engine.pid).not.toBe(first?.engine.pid);
  expect(gateway.hellos.at(-1)?.epoch).not.toBe(first?.engine.epoch);
  await daemon?.close();
  expect(() => process.kill(second?.engine.pid ?? 0, 0)).toThrow('ESRCH');
});

test('a crash loop shows in the state’s reason', async () => {
  await start('process.exit(7)');
  await eventually(() => expect(gateway.states.at(-1)?.reason).toMatch(/exited with code 7, \d+ times in a row/));
});
