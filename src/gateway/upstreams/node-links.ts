import type { IncomingMessage, Server } from 'node:http';
import type { WebSocket } from 'ws';
import type { Cancel, Clock, Logger, Rng } from '../../core/index.ts';
import { mismatch, type NodeBearer } from '../../identity/index.ts';
import { Replica, type Fleet, type PacePrior, type ReplicaHealthOptions } from '../../health/index.ts';
import type { PrefixSink } from '../../prefix/index.ts';
import { ReplicaPrefixes } from './replica-prefixes.ts';
import {
  acceptLinks,
  GatewayLink,
  PROTOCOL_VERSION,
  type HelloMessage,
  type LinkAdmission,
  type MembersMessage,
  type SettledMessage,
} from '../../link/index.ts';

export interface NodeLinksOptions {
  /** Null: of whom nothing is known but that it may dial in. */
  readonly admit: (request: IncomingMessage) => LinkAdmission<NodeBearer | null> | Promise<LinkAdmission<NodeBearer | null>>;
  /** A new certificate for who has one. */
  readonly renew: (bearer: NodeBearer, address: string, request: string) => Promise<{ readonly certificate: string; readonly bearer: NodeBearer }>;
  readonly messageBytesMax: number;
  readonly pingMs: number;
  readonly deadMs: number;
  readonly streamBufferBytesMax: number;
  readonly heldBytesMax: number;
  readonly health: ReplicaHealthOptions;
  readonly pace: PacePrior;
  /** Told to each node: who this gateway is, and which others there are. */
  readonly members: Members;
}

type Members = Omit<MembersMessage, 'type'>;

interface NodeLinksDeps {
  readonly clock: Clock;
  readonly rng: Rng;
  readonly log: Logger;
  readonly fleet: Fleet;
  /** Keeps what the nodes' caches hold. */
  readonly prefixes: PrefixSink;
  /** A node's exact count of an attempt that was cut. */
  readonly onSettled: (settled: SettledMessage) => Promise<void>;
}

/** A linked node, and the replicas it brought. */
interface LinkedNode {
  readonly link: GatewayLink;
  readonly address: string;
  /** What its certificate says, as it was renewed last; null where nodes have none. */
  bearer: NodeBearer | null;
  cancelExpiry: Cancel;
  hello: HelloMessage | null;
  prefixes: ReplicaPrefixes | null;
  replicas: Map<string, Replica>;
}

/** Timers go no further. */
const TIMER_MS_MAX = 86_400_000;

/** Takes the links that nodes dial, and keeps the fleet's replicas of linked nodes as their messages tell. */
export class NodeLinks {
  #options: NodeLinksOptions;
  readonly #deps: NodeLinksDeps;
  readonly #nodes = new Map<string, LinkedNode>();
  readonly #all = new Set<LinkedNode>();
  readonly #stop: () => void;
  #members: Members;

  constructor(server: Server, options: NodeLinksOptions, deps: NodeLinksDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#members = options.members;
    this.#stop = acceptLinks(server, options, (socket, bearer, address) => this.#accept(socket, bearer, address));
  }

  /** Nodes that are linked from now on are judged by these. */
  reconfigure(changed: Pick<NodeLinksOptions, 'health' | 'pace'>): void {
    this.#options = { ...this.#options, ...changed };
  }

  /** Asks a node to take no new attempts, or to take them again; false when no such node is linked. */
  operate(node: string, operation: 'drain' | 'resume'): boolean {
    const linked = this.#nodes.get(node);
    if (linked === undefined) return false;
    linked.link.send({ type: operation });
    return true;
  }

  /** Which other gateways there are has changed: every linked node is told, and dials those it does not know. */
  peers(gateways: Members['gateways']): void {
    this.#members = { ...this.#members, gateways };
    for (const { link } of this.#nodes.values()) link.send({ type: 'members', ...this.#members });
  }

  /** Cuts the links of a node that may not be linked any more. */
  cut(node: string, why: string): void {
    for (const linked of this.#all) if (linked.bearer?.identity.node === node) linked.link.refuse(why);
  }

  /** Cuts the links of nodes that may not be linked any more, as `refusal` says why: another gateway may have revoked one. */
  async recheck(refusal: (bearer: NodeBearer, address: string) => Promise<string | null>): Promise<void> {
    for (const { link, bearer, address } of this.#all) {
      const why = bearer === null ? null : await refusal(bearer, address);
      if (why !== null) link.refuse(why);
    }
  }

  close(): void {
    this.#stop();
    for (const { link } of this.#all) link.close('the gateway is closing');
  }

  #accept(socket: WebSocket, bearer: NodeBearer | null, address: string): void {
    const node: LinkedNode = {
      link: new GatewayLink(
        socket,
        { clock: this.#deps.clock, ...this.#options },
        {
          onHello: (link, hello) => this.#onHello(link, node, hello),
          onLoad: (load) =>
            node.replicas.get(load.replica)?.report(load, load.seenStream, this.#deps.clock.now()),
          onState: ({ state, reason }) => {
            for (const replica of node.replicas.values()) replica.setState(state, reason, this.#deps.clock.now());
          },
          onSettled: this.#deps.onSettled,
          onPrefix: (event) => node.prefixes?.take(event),
          onRenew: (request) => void this.#renew(node, request),
          onRoundTrip: (rttMs) => {
            for (const replica of node.replicas.values()) replica.measured(rttMs);
          },
          onClosed: (reason) => this.#onClosed(node, reason),
        },
      ),
      address,
      bearer,
      cancelExpiry: () => {},
      hello: null,
      prefixes: null,
      replicas: new Map(),
    };
    this.#all.add(node);
    this.#watchExpiry(node);
  }

  /** A link outlives the certificate it was made with only if that was renewed. */
  #watchExpiry(node: LinkedNode): void {
    const { clock } = this.#deps;
    node.cancelExpiry();
    if (node.bearer === null) return;
    node.cancelExpiry = clock.after(Math.min(node.bearer.expiresAtMs - clock.wallMs(), TIMER_MS_MAX), () => {
      if ((node.bearer?.expiresAtMs ?? 0) <= clock.wallMs()) node.link.refuse('its certificate has expired');
      else this.#watchExpiry(node);
    });
  }

  async #renew(node: LinkedNode, request: string): Promise<void> {
    if (node.bearer === null) return;
    const name = node.bearer.identity.node;
    try {
      const { certificate, bearer } = await this.#options.renew(node.bearer, node.address, request);
      if (!this.#all.has(node)) return;
      node.bearer = bearer;
      this.#watchExpiry(node);
      node.link.send({ type: 'certificate', certificate });
      this.#deps.log.info({ node: name }, 'the certificate of a node is renewed');
    } catch (error) {
      this.#deps.log.warn({ node: name, reason: String(error) }, 'the certificate of a node is not renewed');
    }
  }

  #onHello(link: GatewayLink, node: LinkedNode, hello: HelloMessage): void {
    const { log, fleet, rng } = this.#deps;
    if (hello.protocol !== PROTOCOL_VERSION) {
      log.error({ node: hello.node, protocol: hello.protocol, spoken: PROTOCOL_VERSION }, 'node speaks another protocol version');
      return link.close(`protocol version ${hello.protocol} is not spoken here`);
    }
    const claim = node.bearer === null ? null : mismatch(node.bearer.identity, hello);
    if (claim !== null) {
      log.error({ node: node.bearer?.identity.node, claims: hello.node, address: node.address, reason: claim }, 'a node claims to be what its certificate does not say, and is refused');
      return link.refuse(claim);
    }
    const earlier = this.#nodes.get(hello.node);
    if (earlier !== undefined && earlier !== node) {
      log.warn({ node: hello.node }, 'a node dialled in with the id of a linked one, whose link is closed: one that came back, or two with one id');
      earlier.link.replace();
    }
    this.#forget(node);
    node.hello = hello;
    node.replicas = new Map();
    this.#nodes.set(hello.node, node);
    node.prefixes = new ReplicaPrefixes(hello.replicas.map(({ id }) => id), this.#deps.prefixes, (replica) => link.send({ type: 'resync', replica }));
    for (const { id } of hello.replicas) {
      const replica = new Replica(
        {
          id,
          node: hello.node,
          region: hello.region,
          engine: hello.engine.kind,
          models: hello.models,
          contextTokens: hello.contextTokens,
          runningMax: hello.runningMax,
          kvTokens: hello.kvTokens,
          continuation: hello.continuation,
        },
        link,
        this.#options.health,
        rng,
        this.#options.pace,
      );
      node.replicas.set(id, replica);
      fleet.add(replica);
    }
    link.send({ type: 'members', ...this.#members });
    log.info({ node: hello.node, region: hello.region, models: hello.models, epoch: hello.epoch }, 'node is linked');
  }

  #onClosed(node: LinkedNode, reason: string): void {
    this.#all.delete(node);
    node.cancelExpiry();
    this.#forget(node);
    if (node.hello === null) return;
    if (this.#nodes.get(node.hello.node) === node) this.#nodes.delete(node.hello.node);
    this.#deps.log.warn({ node: node.hello.node, reason }, 'node link is down');
  }

  /** Takes a node's replicas out of the fleet, unless a newer link has put its own in their place. */
  #forget(node: LinkedNode): void {
    for (const [id, replica] of node.replicas) {
      if (this.#deps.fleet.get(id) !== replica) continue;
      this.#deps.fleet.remove(id);
      this.#deps.prefixes.remove(id);
    }
  }
}
