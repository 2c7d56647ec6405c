import type { IncomingMessage } from 'node:http';
import { MeridianError } from '../../core/index.ts';

/** Headers that may stand once only: two of them mean that two readers could see two different requests. */
const SINGLE = ['host', 'authorization', 'content-length', 'content-type', 'transfer-encoding'] as const;

/** What is wrong with a request's head although it parsed; null when nothing is. */
export function checkHead(request: IncomingMessage): MeridianError | null {
  const seen = new Set<string>();
  const raw = request.rawHeaders;
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i]?.toLowerCase() ?? '';
    if (!SINGLE.some((single) => single === name)) continue;
    if (seen.has(name)) return new MeridianError('malformed_request', { message: `The header '${name}' stands more than once.` });
    seen.add(name);
  }
  if (!seen.has('host') && request.httpVersion === '1.1') {
    return new MeridianError('malformed_request', { message: "The header 'host' is missing." });
  }
  if (seen.has('content-length') && seen.has('transfer-encoding')) {
    return new MeridianError('malformed_request', { message: "'Content-Length' and 'Transfer-Encoding' exclude each other." });
  }
  return null;
}
