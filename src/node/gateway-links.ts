import type { Clock, Logger } from '../core/index.ts';
import { LINK_PATH, type MembersMessage } from '../link/index.ts';
import type { LinkSession } from './link-session.ts';
import type { NodeCredentials } from './options.ts';
import { Renewal } from './renewal.ts';

export interface GatewayLinksOptions {
  readonly urls: readonly string[];
  readonly max: number;
  readonly credentials: NodeCredentials;
  /** Between two looks at whether the certificate is to be renewed. */
  readonly renewMs: number;
  readonly clock: Clock;
  readonly log: Logger;
  readonly open: (url: string) => LinkSession;
}

/** One link to each gateway: those configured stay, those that other gateways named go when nobody names them any more. */
export class GatewayLinks implements Iterable<LinkSession> {
  readonly #options: GatewayLinksOptions;
  readonly #configured: ReadonlySet<string>;
  readonly #sessions = new Map<string, LinkSession>();
  readonly #named = new Map<LinkSession, MembersMessage['gateways']>();
  readonly #renewal: Renewal | null;

  constructor(options: GatewayLinksOptions) {
    this.#options = options;
    const { credentials, renewMs, clock, log } = options;
    this.#renewal = credentials.kind === 'token' ? null : new Renewal({ identity: credentials.identity, sessions: this, everyMs: renewMs, clock, log });
    this.#configured = new Set(options.urls.map(linkUrl));
  }

  /** Dials the configured gateways. */
  start(): void {
    for (const url of this.#configured) this.#dial(url);
  }

  [Symbol.iterator](): IterableIterator<LinkSession> {
    return this.#sessions.values();
  }

  each(act: (session: LinkSession) => void): void {
    for (const session of this) act(session);
  }

  /** Resolves once every linked gateway knows what was sent before, and what it had opened by then has come. */
  async roundTrip(): Promise<void> {
    await Promise.all([...this].map((session) => session.roundTrip()));
  }

  get connected(): number {
    let count = 0;
    for (const session of this) if (session.isConnected) count += 1;
    return count;
  }

  /** A gateway told its name and those of all gateways. */
  members(from: LinkSession, message: MembersMessage): void {
    from.gateway = message.gateway;
    this.#named.set(from, message.gateways);
    this.#closeDoubles(from);
    for (const { id, url } of message.gateways) {
      const isLinked = [...this].some((session) => session.gateway === id);
      if (isLinked) continue;
      if (this.#sessions.size >= this.#options.max) {
        this.#options.log.warn({ gateway: id, max: this.#options.max }, 'too many gateways: this one is not dialled');
      } else if (URL.canParse(url)) this.#dial(linkUrl(url));
    }
    this.#closeUnnamed();
  }

  /** A gateway sent the certificate that one of them was asked for. */
  certified(certificate: string): void {
    this.#renewal?.take(certificate);
  }

  close(): void {
    this.#renewal?.stop();
    for (const session of this) session.close();
    this.#sessions.clear();
  }

  #dial(url: string): void {
    if (!this.#sessions.has(url)) this.#sessions.set(url, this.#options.open(url));
  }

  /** The same gateway may have been reached by two addresses. */
  #closeDoubles(kept: LinkSession): void {
    for (const session of this) {
      if (session === kept || session.gateway !== kept.gateway) continue;
      if (!this.#configured.has(session.url)) this.#close(session);
      else if (!this.#configured.has(kept.url)) return this.#close(kept);
    }
  }

  #closeUnnamed(): void {
    const named = new Set([...this.#named.values()].flat().map(({ id }) => id));
    const urls = new Set([...this.#named.values()].flat().map(({ url }) => (URL.canParse(url) ? linkUrl(url) : url)));
    for (const session of this) {
      const isNamed = urls.has(session.url) || (session.gateway !== null && named.has(session.gateway));
      if (!isNamed && !session.isConnected && !this.#configured.has(session.url)) this.#close(session);
    }
  }

  #close(session: LinkSession): void {
    this.#sessions.delete(session.url);
    this.#named.delete(session);
    session.close();
  }
}

/** Where to dial: a fleet listener's URL, with the link's path unless it has one. */
function linkUrl(url: string): string {
  const parsed = new URL(url);
  if (parsed.pathname === '/') parsed.pathname = LINK_PATH;
  return parsed.href;
}
