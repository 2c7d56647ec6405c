import { instantText, type Cancel, type Clock, type Logger } from '../core/index.ts';
import type { HeldIdentity } from '../identity/index.ts';
import type { LinkSession } from './link-session.ts';

export interface RenewalOptions {
  readonly identity: HeldIdentity;
  readonly sessions: Iterable<LinkSession>;
  /** Between two looks at whether it is time. */
  readonly everyMs: number;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Renews the node's certificate in time, through whichever gateway is linked, and again until one has answered. */
export class Renewal {
  readonly #options: RenewalOptions;
  readonly #stop: Cancel;

  constructor(options: RenewalOptions) {
    this.#options = options;
    this.#stop = options.clock.every(options.everyMs, () => void this.#look());
  }

  /** A gateway sent what was asked for. */
  take(certificate: string): void {
    const { identity, log } = this.#options;
    try {
      identity.renewed(certificate);
      log.info({ goodUntil: instantText(identity.expiresAtMs) }, 'the certificate is renewed');
    } catch (error) {
      log.error({ error: String(error) }, 'a new certificate was not taken');
    }
  }

  stop(): void {
    this.#stop();
  }

  async #look(): Promise<void> {
    const { identity, sessions, clock } = this.#options;
    if (!identity.isDue(clock.wallMs())) return;
    const request = await identity.renewal();
    for (const session of sessions) if (session.sendRenewal(request)) return;
  }
}
