import type { IncomingHttpHeaders } from 'node:http';
import { requestId, type Clock } from '../../core/index.ts';
import type { Endpoint, ReceivedRequest } from '../context.ts';

/** Takes in a request whose framing and size the HTTP layer has checked; gives it its id and its instant. */
export function receive(endpoint: Endpoint, headers: IncomingHttpHeaders, body: Buffer, clock: Clock): ReceivedRequest {
  const admittedAtMs = clock.wallMs();
  return { id: requestId(admittedAtMs), endpoint, headers, body, startedMs: clock.now(), admittedAtMs };
}
