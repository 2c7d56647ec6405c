import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer, type WebSocket } from 'ws';
import { SUBPROTOCOL } from './messages.ts';

/** Where nodes dial in, below the fleet listener's address. */
export const LINK_PATH = '/link';

/** Who dials in: as what they are let in, or why they are not. */
export type LinkAdmission<Bearer> = { readonly kind: 'admitted'; readonly bearer: Bearer } | { readonly kind: 'refused'; readonly why: string };

export interface FleetListenerOptions<Bearer> {
  readonly admit: (request: IncomingMessage) => LinkAdmission<Bearer> | Promise<LinkAdmission<Bearer>>;
  readonly messageBytesMax: number;
}

/** The header in which a node that is refused reads why. */
export const REFUSAL_HEADER = 'x-meridian-refusal';

/** Lets in whoever presents `token` as a bearer token, as nobody in particular. */
export function byToken(token: string): (request: IncomingMessage) => LinkAdmission<null> {
  return ({ headers }) => (isToken(headers.authorization, token) ? { kind: 'admitted', bearer: null } : { kind: 'refused', why: 'its token is not the one of the fleet' });
}

/**
 * Takes node links on an HTTP server: who dials in is checked before the connection is upgraded; anything else is refused.
 * Returns the function that ends all links.
 */
export function acceptLinks<Bearer>(server: Server, options: FleetListenerOptions<Bearer>, onLink: (socket: WebSocket, bearer: Bearer, address: string) => void): () => void {
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: options.messageBytesMax,
    perMessageDeflate: false,
    // UTF-8 is checked where JSON is parsed; binary messages have none.
    skipUTF8Validation: true,
    handleProtocols: (offered) => (offered.has(SUBPROTOCOL) ? SUBPROTOCOL : false),
  });
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', () => socket.destroy());
    if (request.url !== LINK_PATH) return refuse(socket, '404 Not Found');
    void upgrade(request, socket, head);
  });
  const upgrade = async (request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> => {
    // Who cannot be looked up is not let in; a node dials again.
    const admission = await Promise.try(options.admit, request).catch((error: unknown) => ({ kind: 'refused' as const, why: `it cannot be checked now: ${String(error)}` }));
    if (socket.destroyed) return;
    if (admission.kind === 'refused') return refuse(socket, '401 Unauthorized', admission.why);
    if (!offersProtocol(request)) return refuse(socket, '400 Bad Request', 'another protocol is spoken here: run the same release on both sides');
    const address = request.socket.remoteAddress ?? '';
    sockets.handleUpgrade(request, socket, head, (link) => onLink(link, admission.bearer, address));
  };
  return () => {
    for (const client of sockets.clients) client.terminate();
    sockets.close();
  };
}

function offersProtocol(request: IncomingMessage): boolean {
  const offered = request.headers['sec-websocket-protocol'] ?? '';
  return offered.split(',').some((name) => name.trim() === SUBPROTOCOL);
}

function isToken(authorization: string | undefined, token: string): boolean {
  return timingSafeEqual(sha256(authorization ?? ''), sha256(`Bearer ${token}`));
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

function refuse(socket: Duplex, status: string, why?: string): void {
  // Node's HTTP timeouts no longer watch this socket, so it is not left to the peer to close it.
  const reason = why === undefined ? '' : `${REFUSAL_HEADER}: ${why.replace(/[^\x20-\x7e]/g, '?')}\r\n`;
  const text = `HTTP/1.1 ${status}\r\n${reason}connection: close\r\ncontent-length: 0\r\n\r\n`;
  socket.end(text, () => socket.destroy());
}
