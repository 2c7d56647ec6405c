import { createPrivateKey, X509Certificate } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { checkServerIdentity, type PeerCertificate } from 'node:tls';
import { MeridianError } from '../core/index.ts';
import { readIfThere, writeDurably } from '../store/index.ts';
import { newCertificateRequest } from './key-pair.ts';
import { bearerOf, type Bearer, type NodeIdentity } from './node-identity.ts';

/** What a node keeps of its identity; all PEM. */
export interface IdentityText {
  readonly key: string;
  readonly certificate: string;
  /** The fleet's authority. */
  readonly authority: string;
}

type NodeBearer = Extract<Bearer, { role: 'node' }>;

/** A certificate is renewed when this share of its life is over: the rest is for gateways that cannot be reached. */
const DUE_SHARE = 0.5;

/** The identity a node has: its key and certificate, in a file that it replaces as a whole when the certificate is renewed. */
export class HeldIdentity {
  readonly #path: string;
  #text: IdentityText;
  #bearer: NodeBearer;
  /** The key of the renewal that was asked for last. */
  #nextKey: string | null = null;

  private constructor(path: string, text: IdentityText) {
    this.#path = path;
    this.#text = text;
    this.#bearer = nodeBearer(path, text);
  }

  /** Null where there is no such file. Throws `conflict` when what is in it is no identity. */
  static load(path: string): HeldIdentity | null {
    const text = readIfThere(path);
    if (text === null) return null;
    try {
      return new HeldIdentity(path, JSON.parse(text) as IdentityText);
    } catch (cause) {
      throw new MeridianError('conflict', { message: `The identity ${path} is damaged; remove it and join again with a new token.`, cause });
    }
  }

  static save(path: string, text: IdentityText): HeldIdentity {
    const held = new HeldIdentity(path, text);
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    writeDurably(path, JSON.stringify(text));
    return held;
  }

  get identity(): NodeIdentity {
    return this.#bearer.identity;
  }

  get expiresAtMs(): number {
    return this.#bearer.expiresAtMs;
  }

  /** For a TLS connection to a gateway of the fleet, and to nobody else. */
  tls() {
    const { key, certificate, authority } = this.#text;
    return { key, cert: certificate, ca: authority, minVersion: 'TLSv1.3' as const, checkServerIdentity: gatewayFault };
  }

  isDue(nowMs: number): boolean {
    const { issuedAtMs, expiresAtMs } = this.#bearer;
    return nowMs >= issuedAtMs + DUE_SHARE * (expiresAtMs - issuedAtMs);
  }

  /** A request for a new certificate, for a new key; PEM. */
  async renewal(): Promise<string> {
    const { key, request } = await newCertificateRequest();
    this.#nextKey = key;
    return request;
  }

  /** Takes the certificate of the renewal that was asked for last. Throws `conflict` when it is for another key. */
  renewed(certificate: string): void {
    const key = this.#nextKey;
    if (key === null || !new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key))) {
      throw new MeridianError('conflict', { message: 'A gateway sent a certificate that was not asked for.' });
    }
    const text = { ...this.#text, key, certificate };
    const bearer = nodeBearer(this.#path, text);
    writeDurably(this.#path, JSON.stringify(text));
    this.#text = text;
    this.#bearer = bearer;
    this.#nextKey = null;
  }
}

function nodeBearer(path: string, { certificate }: IdentityText): NodeBearer {
  const bearer = bearerOf(new X509Certificate(certificate));
  if (bearer?.role === 'node') return bearer;
  throw new MeridianError('conflict', { message: `The certificate in ${path} is not a node's.` });
}

/** Why who answers at `host` is no gateway of the fleet: a name that its certificate does not have, or a node's certificate. */
export function gatewayFault(host: string, certificate: PeerCertificate): Error | undefined {
  if (bearerOf(new X509Certificate(certificate.raw))?.role !== 'gateway') return new Error(`who answers at ${host} is no gateway of this fleet: its certificate is another's`);
  return checkServerIdentity(host, certificate);
}
