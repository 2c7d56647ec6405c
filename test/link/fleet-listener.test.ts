import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { acceptLinks, byToken, LINK_PATH, SUBPROTOCOL } from '../../src/link/index.ts';
import { LinkedPair } from './linked-pair.ts';
import { eventually } from '../support/eventually.ts';

const TOKEN = 'the-right-token';
let server: Server;
let links: number;
let endLinks: () => void;

beforeEach(async () => {
  server = createServer();
  links = 0;
  endLinks = acceptLinks(server, { admit: byToken(TOKEN), messageBytesMax: 1_000 }, () => (links += 1));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});

afterEach(async () => {
  endLinks();
  server.close();
  await once(server, 'close');
});

const port = (): number => (server.address() as AddressInfo).port;

/** Dials in; tells the subprotocol spoken, or why not. */
async function dial({ path = LINK_PATH, token = `Bearer ${TOKEN}`, protocols = [SUBPROTOCOL] }): Promise<string> {
  const headers = token === '' ? {} : { authorization: token };
  const socket = new WebSocket(`ws://127.0.0.1:${port()}${path}`, protocols, { headers });
  return new Promise((resolve) => {
    socket.on('open', () => resolve(socket.protocol));
    socket.on('error', (error) => resolve(error.message));
  });
}

describe('the fleet listener', () => {
  test('takes a node that shows the token and speaks the protocol', async () => {
    expect(await dial({})).toBe(SUBPROTOCOL);
    expect(await dial({ protocols: ['meridian.node.v9', SUBPROTOCOL] })).toBe(SUBPROTOCOL);
    expect(links).toBe(2);
  });

  test.each([
    ['a wrong token', { token: 'Bearer another-token' }, 401],
    ['a token that only begins right', { token: `Bearer ${TOKEN}x` }, 401],
    ['no token', { token: '' }, 401],
    ['the token under another scheme', { token: `Basic ${TOKEN}` }, 401],
    ['another protocol', { protocols: ['meridian.node.v9'] }, 400],
    ['no protocol', { protocols: [] }, 400],
    ['another path', { path: '/other' }, 404],
  ])('refuses %s', async (_, options, status) => {
    expect(await dial(options)).toBe(`Unexpected server response: ${status}`);
    expect(links).toBe(0);
  });

  test('does not leave it to whoever was refused to close the connection', async () => {
    const accepted = once(server, 'connection');
    const stubborn = connect({ port: port(), host: '127.0.0.1', allowHalfOpen: true });
    stubborn.write(`GET /other HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n`);
    const [socket] = (await accepted) as [Socket];
    await once(socket, 'close');
    stubborn.destroy();
  });

  test('ends all links when it is closed', async () => {
    const socket = new WebSocket(`ws://127.0.0.1:${port()}${LINK_PATH}`, SUBPROTOCOL, { headers: { authorization: `Bearer ${TOKEN}` } });
    await once(socket, 'open');
    endLinks();
    await once(socket, 'close');
  });
});

test('a node with the wrong token is refused, says why, and tries again later', async () => {
  const pair = await LinkedPair.join({ node: { credentials: () => ({ token: 'wrong', tls: {} }) } });
  await eventually(() => expect(pair.nodeHeard).toEqual(['down: the gateway refuses this node: its token is not the one of the fleet']));
  pair.nodeClock.advance(200);
  await eventually(() => expect(pair.nodeHeard).toHaveLength(2));
  expect(pair.gatewayLinks).toHaveLength(0);
  await pair.close();
});

test('a node that is closed while it dials gives up at once', async () => {
  const pair = await LinkedPair.join();
  pair.node.close();
  await pair.close();
  expect(pair.nodeHeard).toEqual([]);
  expect(pair.nodeClock.pending).toBe(0);
});
