import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocket } from 'ws';
import { noLog, seededRng } from '../../src/core/index.ts';
import {
  acceptLinks,
  byToken,
  GatewayLink,
  LINK_PATH,
  NodeLink,
  SUBPROTOCOL,
  type GatewayLinkOptions,
  type NodeLinkOptions,
  type NodeStream,
  type OpenHead,
} from '../../src/link/index.ts';
import type { AttemptDispatch, Settlement } from '../../src/openai/index.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { Client } from './client.ts';
import { until } from '../support/until.ts';

export const SETTLEMENT: Settlement = {
  usage: { promptTokens: 5, cachedTokens: 2, completionTokens: 3, reasoningTokens: 0 },
  counted: null,
  frames: 3,
};

const TOKEN = 'a-token-for-tests';

interface OpenedStream {
  readonly stream: NodeStream;
  readonly head: OpenHead;
  readonly body: string;
}

export interface PairOptions {
  readonly gateway?: Partial<GatewayLinkOptions> & { readonly messageBytesMax?: number };
  readonly node?: Partial<NodeLinkOptions>;
}

/** A gateway's fleet listener and one node that dials it, over a real WebSocket, with clocks that stand still. */
export class LinkedPair {
  readonly gatewayClock = new ManualClock();
  readonly nodeClock = new ManualClock();
  /** What each end was told, in order. */
  readonly gatewayHeard: string[] = [];
  readonly nodeHeard: string[] = [];
  readonly opened: OpenedStream[] = [];
  readonly gatewayLinks: GatewayLink[] = [];
  readonly sockets: WebSocket[] = [];
  readonly node: NodeLink;
  readonly #server: Server;
  readonly #endLinks: () => void;

  static async join(options: PairOptions = {}): Promise<LinkedPair> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new LinkedPair(server, options);
  }

  private constructor(server: Server, options: PairOptions) {
    this.#server = server;
    this.#endLinks = acceptLinks(server, { admit: byToken(TOKEN), messageBytesMax: options.gateway?.messageBytesMax ?? 1 << 24 }, (socket) => {
      this.sockets.push(socket);
      this.gatewayLinks.push(this.#gatewayLink(socket, options.gateway ?? {}));
    });
    this.node = this.#nodeLink(options.node ?? {});
  }

  /** The newest link at the gateway's end. */
  get gateway(): GatewayLink {
    const link = this.gatewayLinks.at(-1);
    if (link === undefined) throw new Error('no node has linked yet');
    return link;
  }

  /** The newest socket at the gateway's end. */
  get socket(): WebSocket {
    const socket = this.sockets.at(-1);
    if (socket === undefined) throw new Error('no node has linked yet');
    return socket;
  }

  /** Where nodes dial in. */
  get url(): string {
    return `ws://127.0.0.1:${(this.#server.address() as AddressInfo).port}${LINK_PATH}`;
  }

  /** Dials in as a node that may say anything; its link is then the newest. */
  async dialBare(): Promise<WebSocket> {
    const links = this.gatewayLinks.length;
    const socket = new WebSocket(this.url, SUBPROTOCOL, { headers: { authorization: `Bearer ${TOKEN}` } });
    await once(socket, 'open');
    if (this.gatewayLinks.length !== links + 1) throw new Error('the gateway has not taken the link');
    return socket;
  }

  /** Ends when the node's link stands. */
  async connected(): Promise<this> {
    await until(() => this.node.isConnected, 'the link stands');
    return this;
  }

  /** Dispatches an attempt and waits until the node has it. */
  async open(client = new Client()): Promise<{ client: Client; stream: NodeStream }> {
    const count = this.opened.length;
    this.gateway.dispatch(attempt(), client);
    await until(() => this.opened.length > count, 'the node has the attempt');
    const [opened] = this.opened.slice(count);
    if (opened === undefined) throw new Error('nothing was opened');
    return { client, stream: opened.stream };
  }

  /** Ends when everything that either end has sent until now has been read by the other. */
  async quiet(): Promise<void> {
    const mark = `mark ${this.gatewayHeard.length}`;
    this.node.send({ type: 'settled', attempt: mark, outcome: 'completed', settlement: SETTLEMENT });
    await until(() => this.nodeHeard.includes(`acknowledged ${mark}`), 'both ends have read all');
  }

  async close(): Promise<void> {
    this.node.close();
    this.#endLinks();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #gatewayLink(socket: WebSocket, options: Partial<GatewayLinkOptions>): GatewayLink {
    const heard = this.gatewayHeard;
    return new GatewayLink(
      socket,
      { clock: this.gatewayClock, pingMs: 500, deadMs: 2_000, streamBufferBytesMax: 10_000, heldBytesMax: 1 << 26, ...options },
      {
        onHello: (_link, hello) => heard.push(`hello ${hello.node}`),
        onLoad: (load) => heard.push(`load ${load.seq}`),
        onState: (state) => heard.push(`state ${state.state}`),
        onSettled: async (settled) => void heard.push(`settled ${settled.attempt}`),
        onPrefix: (event) => heard.push(`prefix ${event.seq}`),
        onRenew: (request) => heard.push(`renew ${request}`),
        onRoundTrip: (rttMs) => heard.push(`round trip ${rttMs}`),
        onClosed: (reason) => heard.push(`closed: ${reason}`),
      },
    );
  }

  #nodeLink(options: Partial<NodeLinkOptions>): NodeLink {
    const heard = this.nodeHeard;
    return new NodeLink(
      {
        clock: this.nodeClock,
        rng: seededRng(1),
        log: { ...noLog, warn: (fields) => heard.push(`down: ${String(Reflect.get(fields, 'reason'))}`) },
        url: this.url,
        credentials: () => ({ token: TOKEN, tls: {} }),
        pingMs: 500,
        deadMs: 2_000,
        reconnect: { minMs: 100, maxMs: 1_000 },
        batchWindowMs: 0,
        messageBytesMax: 1 << 24,
        heldBytesMax: 1 << 26,
        ...options,
      },
      {
        onConnected: () => heard.push('connected'),
        onOpen: (stream, head, body) => {
          this.opened.push({ stream, head, body: body.toString() });
          heard.push(`open ${stream.number}`);
        },
        onCancel: (stream) => heard.push(`cancel ${stream.number}`),
        onCancelledLate: (number) => heard.push(`cancel late ${number}`),
        onLost: (streams) => heard.push(`lost ${streams.map((stream) => stream.number).join(' ')}`.trim()),
        onAcknowledged: (attempt) => heard.push(`acknowledged ${attempt}`),
        onOperation: (operation) => heard.push(operation),
        onResync: (replica) => heard.push(`resync ${replica}`),
        onMembers: (members) => heard.push(`members of ${members.gateway}`),
        onCertificate: (certificate) => heard.push(`certificate ${certificate}`),
      },
    );
  }
}

export function attempt(body = '{}'): AttemptDispatch {
  return {
    method: 'POST',
    path: '/v1/chat/completions',
    headers: { 'content-type': 'application/json' },
    body: Buffer.from(body),
    attempt: { id: 'req_1-00', replica: 'r1', deadlineMs: 60_000, priority: 0, cacheSalt: 'ab', streamed: true, usageAsked: false, continuable: false, resume: null },
  };
}
