import { createHash, timingSafeEqual } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import { DEFAULT_ORGANIZATION, type Actor, type KeyStore } from '../../accounts/index.ts';
import { MeridianError, type Clock } from '../../core/index.ts';

/** Who administers: the operator of the gateway, or an administrator of one organization. */
export type AdminIdentity =
  | { readonly kind: 'operator'; readonly actor: Actor }
  | { readonly kind: 'organization'; readonly organization: string; readonly actor: Actor };

export interface AdminAccess {
  /** The operator's, from the configuration. */
  readonly adminKey: string;
  readonly keys: Pick<KeyStore, 'authenticate'>;
  readonly clock: Clock;
}

const BEARER = /^Bearer +(\S+) *$/i;
const identities = new WeakMap<FastifyRequest, AdminIdentity>();

/** Finds who asks, and keeps it with the request. Rejects with `invalid_api_key`; an API key is none of an administrator's. */
export async function identify(request: FastifyRequest, { adminKey, keys, clock }: AdminAccess): Promise<void> {
  const secret = BEARER.exec(request.headers.authorization ?? '')?.[1];
  const address = request.raw.socket.remoteAddress ?? null;
  if (secret === undefined) throw refused("Send the admin key in the header 'Authorization: Bearer …'.");
  if (timingSafeEqual(sha256(secret), sha256(adminKey))) {
    identities.set(request, { kind: 'operator', actor: { kind: 'operator', keyId: null, address } });
    return;
  }
  if (secret.startsWith('mk_live_')) throw refused('This is an API key; administration needs an admin key.');
  const found = await keys.authenticate(secret, clock.wallMs());
  if (found.kind !== 'ok' || found.key.kind !== 'admin') throw refused('Incorrect admin key provided.');
  const { id, organization } = found.key;
  identities.set(request, { kind: 'organization', organization, actor: { kind: 'admin_key', keyId: id, address } });
}

/** Of a request that was let in. */
function identityOf(request: FastifyRequest): AdminIdentity {
  const identity = identities.get(request);
  if (identity === undefined) throw new MeridianError('internal_error', { message: 'An administrator was let in without a name.' });
  return identity;
}

export function actorOf(request: FastifyRequest): Actor {
  return identityOf(request).actor;
}

/** Throws `permission_denied` unless it is the operator who asks. */
export function refuseOrganizations(request: FastifyRequest): void {
  if (identityOf(request).kind === 'operator') return;
  throw new MeridianError('permission_denied', { message: "Only the gateway's operator may do that; an organization's administrator has /v1/organization/…." });
}

/** The organization that is looked at: an administrator's own; for the operator that of the header `OpenAI-Organization`, or null: all. */
export function tenantOf(request: FastifyRequest): string | null {
  const identity = identityOf(request);
  if (identity.kind === 'organization') return identity.organization;
  const named = request.headers['openai-organization'];
  return typeof named === 'string' && named !== '' ? named : null;
}

/** The organization that something is done in. */
export function oneTenantOf(request: FastifyRequest): string {
  return tenantOf(request) ?? DEFAULT_ORGANIZATION;
}

function refused(message: string): MeridianError {
  return new MeridianError('invalid_api_key', { message });
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
