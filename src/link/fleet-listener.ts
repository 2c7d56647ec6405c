import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer, type WebSocket } from 'ws';
import { SUBPROTOCOL } from './messages.ts';

/** Where nodes dial in, below the fleet listener's address. */
export const LINK_PATH = '/link';

export interface FleetListenerOptions {
  /** What a node must present as a bearer token. */
  readonly token: string;
  readonly messageBytesMax: number;
}

/**
 * Takes node links on an HTTP server: the token is checked before the connection is upgraded; anything else is refused.
 * Returns the function that ends all links.
 */
export function acceptLinks(server: Server, options: FleetListenerOptions, onLink: (socket: WebSocket) => void): () => void {
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
    if (!isToken(request.headers.authorization, options.token)) return refuse(socket, '401 Unauthorized');
    if (!offersProtocol(request)) return refuse(socket, '400 Bad Request');
    sockets.handleUpgrade(request, socket, head, onLink);
  });
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

function refuse(socket: Duplex, status: string): void {
  // Node's HTTP timeouts no longer watch this socket, so it is not left to the peer to close it.
  const text = `HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`;
  socket.end(text, () => socket.destroy());
}
