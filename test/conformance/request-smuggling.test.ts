import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startSimEngine, type SimEngine } from '../../src/sim/index.ts';
import { MODEL, startTestFleet, type TestFleet } from '../support/test-fleet.ts';
import { until } from '../support/until.ts';
import { startEngineProxy, type EngineProxy } from './engine-proxy.ts';

const BODY = JSON.stringify({ model: MODEL, max_tokens: 2, ignore_eos: true, messages: [{ role: 'user', content: 'Hi' }] });
const LENGTH = `Content-Length: ${BODY.length}`;
const CHUNKED = `${BODY.length.toString(16)}\r\n${BODY}\r\n0\r\n\r\n`;
const CHAT = 'POST /v1/chat/completions HTTP/1.1';

const SILENT_MS = 4_000;

/** A head of `first` and `headers`, host and key as they should be unless `headers` say otherwise, and what follows. */
interface Vector {
  readonly what: string;
  readonly first?: string;
  readonly headers: readonly string[];
  readonly body?: string;
  /** In place of the usual one; null: none. */
  readonly host?: string | null;
  /** Between lines. */
  readonly newline?: string;
}

/** What two readers could understand in two ways is refused, and nothing after it on the connection is read. */
const REFUSED: readonly Vector[] = [
  { what: 'two hosts', headers: ['Host: other', LENGTH], body: BODY },
  { what: 'no host', host: null, headers: [LENGTH], body: BODY },
  { what: 'a host with a path', host: 'gateway.test/v1', headers: [LENGTH], body: BODY },
  { what: 'a host with a user', host: 'user@gateway.test', headers: [LENGTH], body: BODY },
  { what: 'a host with a space', host: 'gateway.test other', headers: [LENGTH], body: BODY },
  { what: 'an absolute target of another host', first: 'POST http://other.test/v1/chat/completions HTTP/1.1', headers: [LENGTH], body: BODY },
  { what: 'two equal lengths', headers: [LENGTH, LENGTH], body: BODY },
  { what: 'two lengths in one header', headers: [`${LENGTH}, ${BODY.length}`], body: BODY },
  { what: 'two different lengths', headers: [LENGTH, 'Content-Length: 5'], body: BODY },
  { what: 'a length with a plus', headers: [`Content-Length: +${BODY.length}`], body: BODY },
  { what: 'a negative length', headers: ['Content-Length: -1'], body: BODY },
  { what: 'a length in hexadecimal', headers: ['Content-Length: 0x10'], body: BODY },
  { what: 'a length with something behind it', headers: [`${LENGTH} abc`], body: BODY },
  { what: 'a length beyond all measure', headers: ['Content-Length: 99999999999999999999999'], body: BODY },
  { what: 'length and coding', headers: [LENGTH, 'Transfer-Encoding: chunked'], body: CHUNKED },
  { what: 'coding and length', headers: ['Transfer-Encoding: chunked', 'Content-Length: 5'], body: CHUNKED },
  { what: 'the coding twice', headers: ['Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'], body: CHUNKED },
  { what: 'a second coding, identity', headers: ['Transfer-Encoding: chunked, identity'], body: CHUNKED },
  { what: 'a coding that only ends like chunked', headers: ['Transfer-Encoding: xchunked'], body: CHUNKED },
  { what: 'a coding before chunked', headers: ['Transfer-Encoding: gzip, chunked'], body: CHUNKED },
  { what: 'an empty coding', headers: ['Transfer-Encoding: ', LENGTH], body: BODY },
  { what: 'a coding folded over two lines', headers: ['Transfer-Encoding:\r\n chunked'], body: CHUNKED },
  { what: 'a header folded over two lines', headers: ['X-Fold: a\r\n b', LENGTH], body: BODY },
  { what: 'a space before the colon', headers: [`Content-Length : ${BODY.length}`], body: BODY },
  { what: 'a space before the first header name', headers: [` ${LENGTH}`], body: BODY },
  { what: 'a name that looks like Content-Length', headers: [LENGTH, 'Content_Length: 5'], body: BODY },
  { what: 'a name that looks like Transfer-Encoding', headers: [LENGTH, 'Transfer_Encoding: chunked'], body: BODY },
  { what: 'a coding in HTTP/1.0', first: 'POST /v1/chat/completions HTTP/1.0', headers: ['Transfer-Encoding: chunked'], body: CHUNKED },
  { what: 'lines that end in LF only', newline: '\n', headers: [LENGTH], body: BODY },
  { what: 'a carriage return by itself', headers: ['X-A: b\rX-C: d', LENGTH], body: BODY },
  { what: 'a zero byte in a value', headers: ['X-A: b\0c', LENGTH], body: BODY },
  { what: 'a character in a name that no name has', headers: ['X(A): b', LENGTH], body: BODY },
  { what: 'a chunk size with a sign', headers: ['Transfer-Encoding: chunked'], body: `+${CHUNKED}` },
  { what: 'a chunk size with 0x', headers: ['Transfer-Encoding: chunked'], body: `0x${CHUNKED}` },
  { what: 'a chunk size beyond all measure', headers: ['Transfer-Encoding: chunked'], body: `fffffffffffffffff\r\n${BODY}\r\n0\r\n\r\n` },
  { what: 'a chunk longer than it says', headers: ['Transfer-Encoding: chunked'], body: `5\r\n${BODY}\r\n0\r\n\r\n` },
  { what: 'a chunk without its end of line', headers: ['Transfer-Encoding: chunked'], body: `${BODY.length.toString(16)}\r\n${BODY}0\r\n\r\n` },
  { what: 'a chunk extension of a megabyte', headers: ['Transfer-Encoding: chunked'], body: `${BODY.length.toString(16)};a=${'x'.repeat(1 << 20)}\r\n${BODY}\r\n0\r\n\r\n` },
  { what: 'trailers that name what no trailer may', headers: ['Transfer-Encoding: chunked'], body: CHUNKED.replace(/\r\n$/, 'Content-Length: 5\r\nAuthorization: Bearer x\r\n\r\n') },
  { what: 'headers of 32 KiB', headers: [`X-Long: ${'x'.repeat(32 * 1024)}`, LENGTH], body: BODY },
  { what: 'HTTP/0.9', first: 'GET /v1/models', headers: [] },
  { what: 'HTTP/2 by prior knowledge', first: 'PRI * HTTP/2.0', headers: [], host: null },
  { what: 'a version that there is not', first: 'POST /v1/chat/completions HTTP/1.2', headers: [LENGTH], body: BODY },
  { what: 'a CONNECT', first: 'CONNECT other.test:443 HTTP/1.1', headers: [] },
];

/** What can be understood in one way only is served once, and the engine sees nothing of its oddness. */
const CANONICAL: readonly Vector[] = [
  { what: 'as it should be', headers: [LENGTH], body: BODY },
  { what: 'in chunks', headers: ['Transfer-Encoding: chunked'], body: CHUNKED },
  { what: 'with headers that Connection names', headers: [LENGTH, 'Connection: close, authorization, content-type, x-odd', 'X-Odd: 1'], body: BODY },
  { what: 'with what belongs to proxies', headers: [LENGTH, 'X-Forwarded-For: 1.2.3.4', 'Proxy-Authorization: x', 'TE: trailers', 'Keep-Alive: 5', 'Cookie: a=b', 'Forwarded: for=x', 'Via: 1.1 x'], body: BODY },
  { what: 'that would be upgraded', headers: [LENGTH, 'Connection: upgrade', 'Upgrade: websocket'], body: BODY },
  { what: 'that would be upgraded to HTTP/2', headers: [LENGTH, 'Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAAQAAP__'], body: BODY },
  { what: 'with a prototype for a header', headers: [LENGTH, '__proto__: x', 'constructor: y'], body: BODY },
  { what: 'with an absolute target of its own host', first: 'POST http://gateway.test/v1/chat/completions HTTP/1.1', headers: [LENGTH], body: BODY },
  { what: 'with an expectation of 100', headers: [LENGTH, 'Expect: 100-continue'], body: BODY },
];

let fleet: TestFleet;
let engine: SimEngine;
let proxy: EngineProxy;

beforeAll(async () => {
  engine = await startSimEngine({ model: MODEL, timeScale: 20 });
  proxy = await startEngineProxy(() => engine.url);
  const replica = {
    id: 'behind-proxy',
    url: proxy.url,
    region: 'here',
    models: [MODEL],
    engine: 'sglang' as const,
    continuation: 'none' as const,
    maxRunning: 256,
    prefillTokensPerS: 9_000,
    pollMs: 200,
    canaryTokens: 0,
  };
  fleet = await startTestFleet({ regions: {}, config: (config) => ({ ...config, replicas: [replica] }) });
  await until(() => fleet.gateway.fleet.get(replica.id)?.state === 'ready', 'the replica is ready');
});
afterAll(async () => {
  await fleet.close();
  await proxy.close();
  await engine.close();
});

const served = (): number => engine.server.log.totals().attempts;

function bytesOf({ first = CHAT, host = 'gateway.test', headers, body = '', newline = '\r\n' }: Vector): string {
  const lines = [first, ...(host === null ? [] : [`Host: ${host}`]), `Authorization: Bearer ${fleet.apiKey}`, 'Content-Type: application/json', ...headers];
  return `${lines.join(newline)}${newline}${newline}${body}`;
}

/** A request that would be answered if it were read as one. */
const smuggled = (): string => `GET /v1/models HTTP/1.1\r\nHost: gateway.test\r\nAuthorization: Bearer ${fleet.apiKey}\r\n\r\n`;

/** Everything the gateway says to these bytes before it closes the connection. */
function exchange(bytes: string, isDone: (answer: string) => boolean = () => false): Promise<string> {
  const { hostname, port } = new URL(fleet.gateway.publicUrl);
  return new Promise((resolve) => {
    const socket = connect({ host: hostname, port: Number(port) });
    let answer = '';
    socket.on('data', (piece: Buffer) => {
      answer += piece.toString('latin1');
      if (isDone(answer)) socket.destroy();
    });
    socket.on('error', () => {});
    // Who is neither answered nor cut would wait for ever: that is a failure, too.
    socket.setTimeout(SILENT_MS, () => {
      answer += 'the connection stayed open';
      socket.destroy();
    });
    socket.on('close', () => resolve(answer));
    socket.write(Buffer.from(bytes, 'latin1'));
  });
}

const statuses = (answer: string): string[] => [...answer.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status]) => String(status)).filter((status) => status !== '100');

describe('a request', () => {
  test.each(REFUSED)('with $what is refused, and what follows on its connection is not read', async (vector) => {
    const before = served();
    const answer = await exchange(bytesOf(vector) + smuggled());
    expect(statuses(answer)).toHaveLength(1);
    expect(statuses(answer)[0]).toMatch(/^(400|404|405|413|431|505)$/);
    expect(answer).toContain('"error"');
    expect(answer).not.toContain('stayed open');
    expect(served()).toBe(before);
  });

  test.each(CANONICAL)('$what is served once, and the engine sees a plain request', async (vector) => {
    const before = served();
    const seenFrom = proxy.sent().length;
    const answer = await exchange(bytesOf(vector), (text) => text.includes('"usage"') && text.trimEnd().endsWith('}'));
    expect(statuses(answer)).toEqual(['200']);
    expect(served()).toBe(before + 1);
    const sent = proxy.sent().slice(seenFrom);
    const asked = sent.slice(sent.indexOf('POST /v1/chat/completions'));
    const names = asked.slice(0, asked.indexOf('\r\n\r\n')).split('\r\n').slice(1).map((line) => line.slice(0, line.indexOf(':')).toLowerCase());
    expect(names.toSorted()).toEqual(['accept', 'connection', 'content-length', 'content-type', 'host']);
    expect(asked).not.toContain(fleet.apiKey);
  });
});

describe('an answer', () => {
  test('has headers of the gateway and none of the engine', async () => {
    const answer = await exchange(bytesOf({ what: '', headers: [LENGTH], body: BODY }), (text) => text.trimEnd().endsWith('}'));
    const names = answer.slice(0, answer.indexOf('\r\n\r\n')).split('\r\n').slice(1).map((line) => line.slice(0, line.indexOf(':')).toLowerCase());
    const known = ['connection', 'content-length', 'content-type', 'date', 'keep-alive', 'openai-organization', 'openai-processing-ms', 'openai-version', 'transfer-encoding', 'x-meridian-region', 'x-meridian-replica', 'x-request-id'];
    expect(names.filter((name) => !known.includes(name))).toEqual([]);
  });

  test('is not split by what a client writes, even percent-encoded into its URL', async () => {
    const answer = await exchange(`GET /v1/models/x%0d%0aSet-Cookie:%20a=b HTTP/1.1\r\nHost: gateway.test\r\nAuthorization: Bearer ${fleet.apiKey}\r\nConnection: close\r\n\r\n`);
    expect(statuses(answer)).toEqual(['404']);
    expect(answer.toLowerCase()).not.toContain('\nset-cookie');
  });
});
