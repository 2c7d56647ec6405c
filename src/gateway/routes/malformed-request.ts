import { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { MeridianError, type ErrorCode } from '../../core/index.ts';
import { closeSoon, refuseOnSocket } from './raw-refusal.ts';

const CODES: Readonly<Record<string, ErrorCode>> = {
  ERR_HTTP_REQUEST_TIMEOUT: 'request_timeout',
  HPE_HEADER_OVERFLOW: 'headers_too_large',
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 'request_too_large',
};

/**
 * Answers bytes that are no HTTP request, in OpenAI's shape, and closes the connection. An answer to an earlier request
 * on the same connection is left to end first, and is then the last. Node calls this once for each connection.
 */
export function refuseMalformed(failure: Error & { code?: string }, socket: Socket): void {
  if (failure.code === 'ECONNRESET' || !socket.writable) return void socket.destroy();
  const earlier = answerUnderWay(socket);
  if (earlier === null) refuseOnSocket(new MeridianError(CODES[failure.code ?? ''] ?? 'malformed_request'), socket);
  else earlier.once('finish', () => closeSoon(socket));
}

/** An answer that has begun, or whose request had come whole: not that of the request that failed. */
function answerUnderWay(socket: Socket): ServerResponse | null {
  const answer: unknown = Reflect.get(socket, '_httpMessage');
  return answer instanceof ServerResponse && (answer.headersSent || answer.req.complete) ? answer : null;
}
