import { request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Asking } from '../support/asking.ts';
import { MODEL, startTestFleet, type TestFleet } from '../support/test-fleet.ts';
import { until } from '../support/until.ts';

const BODY = { model: MODEL, max_tokens: 2, ignore_eos: true, messages: [{ role: 'user', content: 'Hi' }] };
const OTHER_ADDRESS = '127.0.0.2';

describe('row 18: a flood from one address', () => {
  let fleet: TestFleet;

  beforeAll(async () => {
    fleet = await startTestFleet({
      config: (config) => ({ ...config, limits: { ...config.limits, connectionsPerAddressMax: 12, inFlightPerAddressMax: 4 } }),
    });
  });
  afterAll(() => fleet.close());

  /** A request from another address of this machine. */
  function fromElsewhere(): Promise<number> {
    return new Promise((resolve, reject) => {
      const headers = { authorization: `Bearer ${fleet.apiKey}`, 'content-type': 'application/json' };
      const asking = request(`${fleet.gateway.publicUrl}/chat/completions`, { method: 'POST', agent: false, localAddress: OTHER_ADDRESS, headers }, (response) => {
        response.resume();
        response.once('end', () => resolve(response.statusCode ?? 0));
      });
      asking.once('error', reject);
      asking.end(JSON.stringify(BODY));
    });
  }

  test('of connections is refused with 429 beyond its bound, and others are served', async () => {
    const { hostname, port } = new URL(fleet.gateway.publicUrl);
    const answers: string[] = [];
    const sockets: Socket[] = Array.from({ length: 20 }, (_, i) => {
      const socket = connect({ host: hostname, port: Number(port) });
      answers.push('');
      socket.on('data', (bytes: Buffer) => (answers[i] += bytes.toString()));
      socket.on('error', () => {});
      return socket;
    });
    await until(() => answers.filter((answer) => answer.startsWith('HTTP/1.1 429')).length === 8, 'what is too much is refused');
    const refused = answers.find((answer) => answer !== '');
    expect(refused).toContain('rate_limit_exceeded');
    expect(refused).toMatch(/retry-after: 1\r\n/);
    expect(await fromElsewhere()).toBe(200);
    for (const socket of sockets) socket.destroy();
    await until(async () => (await new Asking({ publicUrl: fleet.gateway.publicUrl, apiKey: fleet.apiKey }, BODY).over()).status === 200, 'the address is served again');
  });

  test('of requests is refused with 429 beyond its bound, and others are served', async () => {
    const ask = (more: object = {}): Asking => new Asking({ publicUrl: fleet.gateway.publicUrl, apiKey: fleet.apiKey }, { ...BODY, ...more });
    const streams = Array.from({ length: 4 }, () => ask({ stream: true, max_tokens: 30_000 }));
    await until(() => streams.every(({ bytes }) => bytes > 0), 'the streams flow');
    const refused = await ask().over();
    expect(refused.status).toBe(429);
    expect(refused.error).toMatchObject({ code: 'rate_limit_exceeded' });
    expect(await fromElsewhere()).toBe(200);
    for (const stream of streams) stream.leave();
    await until(async () => (await ask().over()).status === 200, 'the address is served again');
  });
});
