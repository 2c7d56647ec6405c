import type { SecureContextOptions } from 'node:tls';
import { DAY_MS, type Cancel, type Clock, type Logger } from '../core/index.ts';
import type { Authority } from './authority.ts';
import { newCertificateRequest } from './key-pair.ts';

export interface GatewayCertificateOptions {
  readonly authority: Authority;
  readonly gateway: string;
  /** Host names and addresses by which nodes dial it. */
  readonly hosts: readonly string[];
  readonly clock: Clock;
  readonly log: Logger;
}

const LIFETIME_MS = 7 * DAY_MS;

/** The certificate that a gateway makes for its own fleet listener: a new one, with a new key, every day. It is kept in memory only. */
export class GatewayCertificate {
  readonly #options: GatewayCertificateOptions;
  #cancel: Cancel = () => {};

  constructor(options: GatewayCertificateOptions) {
    this.#options = options;
  }

  /** For a TLS server that asks its clients for certificates, and leaves it to others to refuse those that show none. */
  async issue(): Promise<SecureContextOptions & { readonly requestCert: true; readonly rejectUnauthorized: false }> {
    const { authority, gateway, hosts, clock } = this.#options;
    const nowMs = clock.wallMs();
    const { key, request } = await newCertificateRequest();
    const certificate = await authority.certifyGateway(request, gateway, hosts, nowMs, nowMs + LIFETIME_MS);
    const ca = authority.certificate.toString();
    return { key, cert: `${certificate}\n${ca}`, ca, minVersion: 'TLSv1.3', requestCert: true, rejectUnauthorized: false };
  }

  /** Puts a new one in place every day. */
  keepFresh(server: { setSecureContext(options: SecureContextOptions): void }): void {
    const { clock, log } = this.#options;
    this.#cancel = clock.every(DAY_MS, () => {
      this.issue().then((options) => server.setSecureContext(options), (error: unknown) => log.error({ error: String(error) }, 'the certificate of the fleet listener could not be renewed'));
    });
  }

  close(): void {
    this.#cancel();
  }
}
