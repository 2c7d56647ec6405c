import type { Clock, Logger, Rng } from '../core/index.ts';
import {
  NodeLink,
  type HelloMessage,
  type LinkCredentials,
  type MembersMessage,
  type NodeStream,
  type StateMessage,
  type PrefixEvent,
} from '../link/index.ts';
import type { EngineLoad } from '../engine/index.ts';
import type { AttemptRunner } from './attempt-runner.ts';
import type { NodeCounters } from './counters.ts';
import { loadMessage } from './load-report.ts';
import type { GatewayStatus } from './node-status.ts';
import { reconnectBackoff, type NodeCredentials, type NodeDaemonOptions, type NodeTuning } from './options.ts';
import type { RunningAttempt } from './running-attempt.ts';
import { SettlementOutbox } from './settlement-outbox.ts';

export interface LinkSessionDeps {
  readonly clock: Clock;
  readonly rng: Rng;
  readonly log: Logger;
  readonly options: NodeDaemonOptions;
  readonly tuning: NodeTuning;
  readonly counters: NodeCounters;
  readonly runner: AttemptRunner;
  hello(): HelloMessage;
  state(): StateMessage;
  /** Null when the engine has no such rank. */
  replicaOf(rank: number): string | null;
  /** The newest report of each rank, for a link that begins. */
  newestLoads(): Iterable<TakenLoad>;
  /** The gateway knows who this node is, and nothing of its caches. */
  onGreeted(session: LinkSession): void;
  onResync(session: LinkSession, replica: string): void;
  onOperation(operation: 'drain' | 'resume'): void;
  onMembers(session: LinkSession, members: MembersMessage): void;
  onCertificate(certificate: string): void;
}

export interface TakenLoad {
  readonly load: EngineLoad;
  /** Monotonic. */
  readonly takenAtMs: number;
}

/** What this node has with one gateway: the link, the attempts it opened, and the counts it must still be told. */
export class LinkSession {
  readonly url: string;
  /** The gateway's own name, once it told it. */
  gateway: string | null = null;
  readonly #deps: LinkSessionDeps;
  readonly #link: NodeLink;
  readonly #settlements: SettlementOutbox;
  readonly #attempts = new Map<NodeStream, RunningAttempt>();
  readonly #seq = new Map<string, number>();
  /** By rank: number of the next cache event on this connection. */
  readonly #prefixSeq = new Map<number, number>();
  /** Newest stream given to the engine before it was last asked for its load. */
  #seenStream = 0;

  constructor(url: string, deps: LinkSessionDeps) {
    this.url = url;
    this.#deps = deps;
    const { clock, rng, log, options, tuning, counters } = deps;
    this.#settlements = new SettlementOutbox({
      max: tuning.settlementsMax,
      unsureMs: options.link.deadMs,
      send: (message) => this.#link.send(message),
      onDropped: (message) => {
        counters.settlementsDropped += 1;
        log.error({ gateway: url, attempt: message.attempt }, 'a settlement was dropped: the gateway did not acknowledge it');
      },
    });
    const { pingMs, deadMs, batchWindowMs, messageBytesMax, heldBytesMax } = options.link;
    const reconnect = reconnectBackoff(options.link);
    this.#link = new NodeLink(
      { clock, rng, log, url, credentials: () => shown(options.credentials), pingMs, deadMs, batchWindowMs, messageBytesMax, heldBytesMax, reconnect },
      {
        onConnected: () => this.#greet(),
        onOpen: (stream, head, body) => {
          const attempt = deps.runner.start(stream, head, body, (settled, isToldByStream) => {
            this.#attempts.delete(stream);
            if (isToldByStream) this.#settlements.sentWithEnd(stream.number, settled, clock.now());
            else this.#settlements.add(settled);
          });
          if (attempt !== null && !attempt.isOver) this.#attempts.set(stream, attempt);
        },
        onCancel: (stream) => this.#attempts.get(stream)?.stop('cancelled'),
        onCancelledLate: (number) => this.#settlements.cancelledLate(number),
        onLost: () => this.#lost(),
        onAcknowledged: (attempt) => this.#settlements.acknowledged(attempt),
        onOperation: (operation) => deps.onOperation(operation),
        onResync: (replica) => deps.onResync(this, replica),
        onMembers: (members) => deps.onMembers(this, members),
        onCertificate: (certificate) => deps.onCertificate(certificate),
      },
    );
  }

  get isConnected(): boolean {
    return this.#link.isConnected;
  }

  get settlementsPending(): number {
    return this.#settlements.pending;
  }

  status(): GatewayStatus {
    return {
      url: this.url,
      id: this.gateway,
      isConnected: this.isConnected,
      rttMs: this.#link.rttMs,
      attempts: this.#attempts.size,
      settlementsPending: this.settlementsPending,
    };
  }

  /** Tells what changed in the cache of a rank. */
  sendPrefix(rank: number, event: Pick<PrefixEvent, 'isSnapshot' | 'stored' | 'evicted'>): void {
    if (!this.isConnected || this.#deps.replicaOf(rank) === null) return;
    const seq = this.#prefixSeq.get(rank) ?? 0;
    this.#prefixSeq.set(rank, (seq + 1) >>> 0);
    this.#link.sendPrefix({ replica: rank, seq, ...event });
  }

  /** The engine is about to be asked for its load. */
  markSeen(): void {
    this.#seenStream = this.#link.lastStream;
  }

  sendLoad({ load, takenAtMs }: TakenLoad): void {
    const replica = this.#deps.replicaOf(load.rank);
    if (replica === null) return;
    const seq = (this.#seq.get(replica) ?? 0) + 1;
    this.#seq.set(replica, seq);
    this.#link.send(loadMessage(load, { replica, seq, ageMs: this.#deps.clock.now() - takenAtMs, seenStream: this.#seenStream }));
  }

  sendState(): void {
    this.#link.send(this.#deps.state());
  }

  /** Asks for a new certificate; false when there is no link to ask on. */
  sendRenewal(request: string): boolean {
    return this.#link.send({ type: 'renew', request });
  }

  /** Resolves once the gateway knows the state that was sent last, and what it had opened before has come. */
  roundTrip(): Promise<void> {
    return this.#link.roundTrip();
  }

  /** Says anew who this node is and how it stands. */
  introduce(): void {
    this.#link.send(this.#deps.hello());
    this.sendState();
  }

  close(): void {
    this.#link.close();
  }

  #greet(): void {
    this.#seenStream = 0;
    this.#prefixSeq.clear();
    this.introduce();
    this.#deps.onGreeted(this);
    for (const taken of this.#deps.newestLoads()) this.sendLoad(taken);
    this.#settlements.resend();
  }

  #lost(): void {
    this.#deps.counters.linksLost += 1;
    this.#settlements.lost(this.#deps.clock.now());
    for (const attempt of this.#attempts.values()) attempt.stop('lost');
  }
}

function shown(credentials: NodeCredentials): LinkCredentials {
  if (credentials.kind === 'token') return { token: credentials.token, tls: credentials.tls ?? {} };
  return { token: null, tls: credentials.identity.tls() };
}
