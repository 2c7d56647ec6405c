import type { IncomingMessage } from 'node:http';
import { TLSSocket } from 'node:tls';
import type { Clock, Logger } from '../core/index.ts';
import type { Authority } from './authority.ts';
import { bearerOf, type Bearer } from './node-identity.ts';
import type { Joining, NodeRegistry } from './node-registry.ts';

export type NodeBearer = Extract<Bearer, { role: 'node' }>;

export type Admission = { readonly kind: 'admitted'; readonly bearer: NodeBearer } | { readonly kind: 'refused'; readonly why: string };

export interface FleetGateOptions {
  readonly authority: Authority;
  readonly registry: NodeRegistry;
  /** Life of a node's certificate. */
  readonly certificateMs: number;
  readonly clock: Pick<Clock, 'wallMs'>;
  readonly log: Logger;
  readonly onJoined: (joining: Joining) => Promise<void>;
}

const EXPIRED = 'its certificate has expired: it must join anew, with a new token';

/** Where nodes become members of the fleet, show that they are, and renew what shows it. Whoever is refused is logged. */
export class FleetGate {
  readonly #options: FleetGateOptions;

  constructor(options: FleetGateOptions) {
    this.#options = options;
  }

  /** Whose connection it is. */
  async admit({ socket }: Pick<IncomingMessage, 'socket'>): Promise<Admission> {
    const address = socket.remoteAddress ?? '';
    const certificate = socket instanceof TLSSocket ? socket.getPeerX509Certificate() : undefined;
    if (certificate === undefined || !(socket instanceof TLSSocket)) return this.#refused(null, address, 'it shows no certificate: a node joins with a one-time token first');
    const bearer = bearerOf(certificate);
    const node = bearer?.role === 'node' ? bearer.identity.node : null;
    if (!socket.authorized) return this.#refused(node, address, wordsOf(socket.authorizationError));
    // A TLS session that is resumed was checked when it began.
    if (bearer?.role === 'node' && bearer.expiresAtMs <= this.#options.clock.wallMs()) return this.#refused(node, address, EXPIRED);
    if (bearer?.role !== 'node') return this.#refused(null, address, "its certificate is not a node's");
    const why = await this.#options.registry.refusal(bearer, address);
    return why === null ? { kind: 'admitted', bearer } : this.#refused(node, address, why);
  }

  /** Lets a node in by its token; its first certificate. Throws as `NodeRegistry.join` and `Authority.certifyNode` do. */
  async join(joining: Joining, request: string): Promise<string> {
    const { registry, authority, clock, certificateMs, log, onJoined } = this.#options;
    try {
      await registry.permit(joining);
      // A request that is none does not use the token up.
      await authority.checkRequest(request);
      const identity = await registry.join(joining);
      const nowMs = clock.wallMs();
      const certificate = await authority.certifyNode(request, identity, nowMs, nowMs + certificateMs);
      log.info({ node: joining.node, region: joining.region, address: joining.address }, 'a node has joined');
      await onJoined(joining);
      return certificate;
    } catch (error) {
      log.warn({ node: joining.node, address: joining.address, reason: String(error) }, 'a node that wanted to join is refused');
      throw error;
    }
  }

  /** A new certificate for a node that is linked; it may no more than the one before. */
  async renew({ identity, ...bearer }: NodeBearer, address: string, request: string): Promise<{ readonly certificate: string; readonly bearer: NodeBearer }> {
    const { registry, authority, clock, certificateMs } = this.#options;
    const why = await registry.refusal({ identity, ...bearer }, address);
    if (why !== null) throw new Error(why);
    const issuedAtMs = clock.wallMs();
    const expiresAtMs = issuedAtMs + certificateMs;
    return { certificate: await authority.certifyNode(request, identity, issuedAtMs, expiresAtMs), bearer: { ...bearer, identity, issuedAtMs, expiresAtMs } };
  }

  #refused(node: string | null, address: string, why: string): Admission {
    this.#options.log.warn({ node, address, reason: why }, 'a node is refused');
    return { kind: 'refused', why };
  }
}

/** Of OpenSSL's reasons those that an operator meets. */
function wordsOf(reason: unknown): string {
  const code = reason instanceof Error ? reason.message : String(reason);
  if (code === 'CERT_HAS_EXPIRED') return EXPIRED;
  if (['UNABLE_TO_GET_ISSUER_CERT', 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'SELF_SIGNED_CERT_IN_CHAIN', 'DEPTH_ZERO_SELF_SIGNED_CERT', 'CERT_SIGNATURE_FAILURE'].includes(code)) {
    return `its certificate is not of this fleet's authority (${code})`;
  }
  return `its certificate is not good (${code})`;
}
