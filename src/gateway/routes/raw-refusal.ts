import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { requestId, systemClock, type MeridianError } from '../../core/index.ts';
import { errorHeaders } from '../client-reply.ts';
import { errorBody } from '../../openai/index.ts';

/** How long a refused client may take to read why; what it sends meanwhile is dropped, for a reset would lose the answer. */
const LINGER_MS = 2_000;

/** Writes `error` as the last answer on a connection whose further bytes are not wanted, and closes it. */
export function refuseOnSocket(error: MeridianError, socket: Socket): void {
  const body = JSON.stringify(errorBody(error));
  const { status } = error.row;
  closeSoon(
    socket,
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\ncontent-type: application/json\r\nconnection: close\r\n` +
      `x-request-id: ${requestId(systemClock.wallMs())}\r\nopenai-version: 2020-10-01\r\nopenai-processing-ms: 0\r\n` +
      Object.entries(errorHeaders(error)).map(([name, value]) => `${name}: ${value}\r\n`).join('') +
      `content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}

/** Ends our side of a connection after `last`, and all of it once the client has had its time to read. */
export function closeSoon(socket: Socket, last = ''): void {
  if (!socket.writable) return void socket.destroy();
  socket.end(last);
  socket.once('close', systemClock.after(LINGER_MS, () => socket.destroy()));
}
