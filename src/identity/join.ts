import { request as httpsRequest } from 'node:https';
import { isIP } from 'node:net';
import { connect } from 'node:tls';
import { MeridianError } from '../core/index.ts';
import { pinOf } from './authority.ts';
import { gatewayFault, HeldIdentity } from './held-identity.ts';
import { parseJoinToken } from './join-token.ts';
import { newCertificateRequest } from './key-pair.ts';
import type { NodeIdentity } from './node-identity.ts';

/** Where nodes join, below the fleet listener's address. */
export const JOIN_PATH = '/join';

export interface JoinOptions {
  /** A fleet listener, as `wss://gateway.example:8082`. */
  readonly gateway: string;
  readonly token: string;
  readonly node: Pick<NodeIdentity, 'node' | 'region' | 'models'>;
  /** Where the identity is to be kept. */
  readonly path: string;
  readonly timeoutMs: number;
}

interface Answer {
  readonly status: number;
  readonly body: string;
}

/**
 * Joins a fleet with a one-time token, and keeps the identity it gets. Nothing is sent before the gateway has shown a
 * certificate of the authority that the token names. Rejects with `permission_denied` when the gateway refuses, with
 * `invalid_value` when the token is none, and with `upstream_error` when the gateway cannot be reached or is not the one.
 */
export async function join({ gateway, token, node, path, timeoutMs }: JoinOptions): Promise<HeldIdentity> {
  const parsed = parseJoinToken(token);
  if (parsed === null) throw new MeridianError('invalid_value', { param: 'join.token', message: "Invalid value for 'join.token': expected what `meridian nodes token` prints, which begins with mj_." });
  const at = addressOf(gateway);
  try {
    const authority = await authorityAt(at, parsed.pin, timeoutMs);
    const { key, request } = await newCertificateRequest();
    const { status, body } = await post(at, JSON.stringify({ token: parsed.secret, request, ...node }), authority, timeoutMs);
    const answer = JSON.parse(body) as { readonly certificate: string; readonly error?: { readonly message: string } };
    if (status !== 200) throw new MeridianError('permission_denied', { message: `${gateway} does not let this node in: ${answer.error?.message ?? status}` });
    return HeldIdentity.save(path, { key, certificate: answer.certificate, authority });
  } catch (cause) {
    if (cause instanceof MeridianError) throw cause;
    throw new MeridianError('upstream_error', { message: `${gateway} could not be asked to let this node in: ${cause instanceof Error ? cause.message : String(cause)}`, cause });
  }
}

interface Address {
  readonly host: string;
  readonly port: number;
}

function addressOf(gateway: string): Address {
  const { hostname, port } = new URL(gateway);
  return { host: hostname.replace(/^\[|\]$/g, ''), port: port === '' ? 443 : Number(port) };
}

/** The authority (PEM) that a gateway names as its own, if it is the one of `pin`. Whether it has certified the gateway, the next connection shows. */
function authorityAt({ host, port }: Address, pin: string, timeoutMs: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, servername: isIP(host) === 0 ? host : '', rejectUnauthorized: false, minVersion: 'TLSv1.3', timeout: timeoutMs });
    socket.on('timeout', () => socket.destroy(new Error(`no answer within ${timeoutMs} ms`)));
    socket.on('error', reject);
    socket.once('secureConnect', () => {
      const authority = socket.getPeerX509Certificate()?.issuerCertificate;
      if (authority !== undefined && pinOf(authority) === pin) resolve(authority.toString());
      else reject(new Error('it is not of the fleet that the join token is for: its authority is another'));
      socket.destroy();
    });
  });
}

function post({ host, port }: Address, body: string, authority: string, timeoutMs: number): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
    const request = httpsRequest({ host, port, path: JOIN_PATH, method: 'POST', headers, agent: false, timeout: timeoutMs, ca: authority, minVersion: 'TLSv1.3', checkServerIdentity: gatewayFault });
    request.on('timeout', () => request.destroy(new Error(`no answer within ${timeoutMs} ms`)));
    request.on('error', reject);
    request.on('response', (response) => {
      const pieces: Buffer[] = [];
      response.on('data', (piece: Buffer) => pieces.push(piece));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(pieces).toString('utf8') }));
      response.on('error', reject);
    });
    request.end(body);
  });
}
