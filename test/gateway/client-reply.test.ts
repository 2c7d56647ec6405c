import { createServer, type Server } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MeridianError } from '../../src/core/index.ts';
import { ClientReply } from '../../src/gateway/client-reply.ts';
import { until } from '../support/until.ts';

const ERROR = new MeridianError('upstream_error', { message: 'The engine failed.' });
const QUIET = { uncommitted: 100, committed: 50 };

let server: Server;
let replies: ((reply: ClientReply) => void)[] = [];

beforeAll(async () => {
  server = createServer((_request, response) => {
    const reply = new ClientReply(response, () => ({ 'x-request-id': 'req_1' }), 0);
    replies.shift()?.(reply);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return () => server.closeAllConnections();
});
afterAll(() => void server.close());

/** A client at the level of bytes, each of which is one character of its text. */
class Client {
  text = '';
  isClosed = false;
  readonly socket: Socket;

  constructor(version: string) {
    this.socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    this.socket.on('data', (bytes: Buffer) => (this.text += bytes.toString('latin1')));
    this.socket.on('close', () => (this.isClosed = true));
    this.socket.on('error', () => {});
    this.socket.write(`GET / HTTP/${version}\r\nhost: here\r\nconnection: close\r\n\r\n`);
  }

  get head(): string {
    return this.text.split('\r\n\r\n')[0] ?? '';
  }

  /** The body with its chunks put together. */
  get body(): string {
    const raw = this.text.slice(this.head.length + 4);
    if (!/transfer-encoding: chunked/i.test(this.head)) return utf8(raw);
    let body = '';
    for (let at = 0; at < raw.length; ) {
      const lineEnd = raw.indexOf('\r\n', at);
      const size = Number.parseInt(raw.slice(at, lineEnd), 16);
      body += raw.slice(lineEnd + 2, lineEnd + 2 + size);
      at = lineEnd + 4 + size;
    }
    return utf8(body);
  }
}

function utf8(bytes: string): string {
  return Buffer.from(bytes, 'latin1').toString();
}

/** A client, and the server's side of its one request. */
async function exchange(streamed: boolean, version = '1.1'): Promise<{ client: Client; reply: ClientReply }> {
  let reply: ClientReply | null = null;
  replies.push((one) => {
    if (streamed) one.becomeStream();
    reply = one;
  });
  const client = new Client(version);
  await until(() => reply !== null, 'the request has come');
  return { client, reply: reply as unknown as ClientReply };
}

async function whole(client: Client): Promise<Client> {
  await until(() => client.isClosed, 'the answer is over');
  return client;
}

describe.each(['1.1', '1.0'])('a stream over HTTP/%s', (version) => {
  test('is the bytes that were written, and [DONE]', async () => {
    const { client, reply } = await exchange(true, version);
    reply.commit();
    for (const piece of ['data: {"a":1}\n\n', 'data: {"é":"日"}\n\n']) expect(reply.write(Buffer.from(piece))).toBe(true);
    reply.endStream();
    await whole(client);
    expect(client.head).toMatch(/^HTTP\/1\.1 200 OK/);
    expect(client.head.toLowerCase()).toContain('content-type: text/event-stream');
    expect(client.head).toContain('x-request-id: req_1');
    expect(client.body).toBe('data: {"a":1}\n\ndata: {"é":"日"}\n\ndata: [DONE]\n\n');
  });

  test('that fails ends in an error event, and without [DONE]', async () => {
    const { client, reply } = await exchange(true, version);
    reply.commit();
    reply.write(Buffer.from('data: {"a":1}\n\n'));
    reply.fail(ERROR);
    reply.endStream();
    const { body } = await whole(client);
    expect(body).not.toContain('[DONE]');
    expect(JSON.parse(body.split('\n\n')[1]?.slice(6) ?? '')).toMatchObject({ error: { message: 'The engine failed.', code: 'upstream_error' } });
  });
});

describe('an answer', () => {
  test('in one piece has its length', async () => {
    const { client, reply } = await exchange(false);
    reply.endWhole(200, Buffer.from('{"é":1}'));
    await whole(client);
    expect(client.head.toLowerCase()).toContain('content-length: 8');
    expect(client.body).toBe('{"é":1}');
  });

  test('that fails before it began has the status of its error, streamed or not', async () => {
    for (const streamed of [true, false]) {
      const { client, reply } = await exchange(streamed);
      reply.fail(new MeridianError('overloaded', { retryAfterMs: 1_500 }));
      await whole(client);
      expect(client.head).toMatch(/^HTTP\/1\.1 503 /);
      expect(client.head).toContain('retry-after: 2');
      expect(client.head).toContain('retry-after-ms: 1500');
      expect(client.head).toContain('application/json');
      expect(JSON.parse(client.body)).toMatchObject({ error: { code: 'overloaded' } });
    }
  });

  test('ends once: what is said after the end is not sent', async () => {
    const { client, reply } = await exchange(false);
    reply.endWhole(200, Buffer.from('{}'));
    reply.endWhole(200, Buffer.from('{"again":true}'));
    reply.fail(ERROR);
    expect((await whole(client)).body).toBe('{}');
  });
});

describe('a client that hears nothing', () => {
  test('of a stream gets its head, and then comments', async () => {
    const { client, reply } = await exchange(true);
    reply.tick(99, QUIET);
    expect(reply.isCommitted).toBe(false);
    reply.tick(100, QUIET);
    expect(reply.isCommitted).toBe(true);
    reply.tick(110, QUIET);
    reply.tick(159, QUIET);
    reply.tick(160, QUIET);
    reply.write(Buffer.from('data: 1\n\n'));
    reply.tick(170, QUIET);
    reply.tick(219, QUIET);
    reply.tick(220, QUIET);
    reply.endStream();
    expect((await whole(client)).body).toBe(': keep-alive\n\n: keep-alive\n\ndata: 1\n\n: keep-alive\n\ndata: [DONE]\n\n');
  });

  test('of an answer in one piece gets spaces, which JSON does not mind', async () => {
    const { client, reply } = await exchange(false);
    reply.tick(100, QUIET);
    reply.tick(110, QUIET);
    reply.tick(160, QUIET);
    reply.endWhole(200, Buffer.from('{"a":1}'));
    const { body } = await whole(client);
    expect(body).toBe('  {"a":1}');
  });
});

describe('a client that leaves', () => {
  test('is noticed once, by everybody who asked, also afterwards', async () => {
    const { client, reply } = await exchange(true);
    const told: string[] = [];
    reply.onGone(() => told.push('first'));
    reply.onGone(() => told.push('second'));
    reply.commit();
    client.socket.destroy();
    await until(() => reply.isGone, 'the client is gone');
    reply.onGone(() => told.push('late'));
    expect(told).toEqual(['first', 'second', 'late']);
    expect(reply.write(Buffer.from('data: 1\n\n')), 'what is written then goes nowhere').toBe(true);
    reply.endStream();
    reply.fail(ERROR);
  });

  test('after the whole answer has not left early', async () => {
    const { client, reply } = await exchange(false);
    let isGone = false;
    reply.onGone(() => (isGone = true));
    reply.endWhole(200, Buffer.from('{}'));
    await whole(client);
    expect([isGone, reply.isGone]).toEqual([false, false]);
  });
});

test('a client that does not read is held back, goes on when it reads, and is gone when it is cut', async () => {
  const { client, reply } = await exchange(true);
  const piece = Buffer.alloc(256 * 1_024, 'x');
  client.socket.pause();
  reply.commit();
  let written = 0;
  while (reply.write(piece)) written += 1;
  let isDrained = false;
  reply.onDrain(() => (isDrained = true));
  expect(isDrained).toBe(false);
  client.socket.resume();
  await until(() => isDrained, 'the client has taken what was written');
  await until(() => client.text.length > (written + 1) * piece.length, 'nothing is lost');

  client.socket.pause();
  reply.cut();
  await until(() => reply.isGone, 'the client is gone');
});

describe('an answer that has ended', () => {
  const long = Buffer.alloc(32 << 20, 'x');

  test('is taken at once where nothing of it waits', async () => {
    const { client, reply } = await exchange(false);
    reply.endWhole(200, Buffer.from('{}'));
    await reply.taken(1);
    expect((await whole(client)).body).toBe('{}');
  });

  test('is taken when a client that reads late has all of it', async () => {
    const { client, reply } = await exchange(false);
    client.socket.pause();
    reply.endWhole(200, long);
    let isTaken = false;
    const taken = reply.taken(60_000).then(() => (isTaken = true));
    await new Promise((resolve) => setImmediate(resolve));
    expect(isTaken).toBe(false);
    client.socket.resume();
    await taken;
    expect((await whole(client)).body.length).toBe(long.length);
  });

  test('is not cut while the client takes it, however slowly', async () => {
    const { client, reply } = await exchange(false);
    client.socket.on('data', () => {
      client.socket.pause();
      setTimeout(() => client.socket.resume(), 1);
    });
    reply.endWhole(200, long);
    await reply.taken(150);
    expect((await whole(client)).body.length).toBe(long.length);
  });

  test('is cut when the client takes nothing of it', async () => {
    const { client, reply } = await exchange(false);
    client.socket.pause();
    reply.endWhole(200, long);
    await reply.taken(50);
    client.socket.resume();
    expect((await whole(client)).body.length).toBeLessThan(long.length);
  });
});
