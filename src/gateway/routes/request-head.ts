import type { IncomingMessage } from 'node:http';
import { MeridianError } from '../../core/index.ts';

/** Headers that may stand once only: two of them mean that two readers could see two different requests. */
const SINGLE: ReadonlySet<string> = new Set(['host', 'authorization', 'content-length', 'content-type', 'transfer-encoding']);
/** A name or an address, and a port. */
const HOST = /^(?:[a-z\d._-]+|\[[\da-f:.]+\])(?::\d{1,5})?$/i;
const ABSOLUTE = /^https?:\/\/([^/?#]*)/i;

/** What is wrong with a request's head although it parsed; null when nothing is. What two readers could understand in two ways is. */
export function checkHead(request: IncomingMessage): MeridianError | null {
  const message = versionFault(request) ?? headersFault(request.rawHeaders) ?? hostFault(request) ?? framingFault(request);
  return message === null ? null : new MeridianError('malformed_request', { message });
}

function versionFault({ httpVersion }: IncomingMessage): string | null {
  return httpVersion === '1.1' || httpVersion === '1.0' ? null : `HTTP/${httpVersion} is not spoken here.`;
}

function headersFault(raw: readonly string[]): string | null {
  const seen = new Set<string>();
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i]?.toLowerCase() ?? '';
    // Some readers take an underscore for a dash.
    const meant = name.replaceAll('_', '-');
    if (!SINGLE.has(meant)) continue;
    if (meant !== name) return `The header '${name}' is not taken: it looks like '${meant}'.`;
    if (seen.has(name)) return `The header '${name}' stands more than once.`;
    seen.add(name);
  }
  return null;
}

function hostFault({ headers: { host }, httpVersion, url = '' }: IncomingMessage): string | null {
  if (host === undefined) return httpVersion === '1.1' ? "The header 'host' is missing." : null;
  if (!HOST.test(host)) return "The header 'host' must be a name or an address, with or without a port.";
  const target = ABSOLUTE.exec(url)?.[1];
  return target === undefined || target.toLowerCase() === host.toLowerCase() ? null : "The target and the header 'host' name different hosts.";
}

function framingFault({ headers, httpVersion }: IncomingMessage): string | null {
  const coding = headers['transfer-encoding'];
  if (coding === undefined) return null;
  if (headers['content-length'] !== undefined) return "'Content-Length' and 'Transfer-Encoding' exclude each other.";
  if (httpVersion !== '1.1') return `'Transfer-Encoding' is not for HTTP/${httpVersion}.`;
  return coding.toLowerCase() === 'chunked' ? null : "'Transfer-Encoding' may be 'chunked' only.";
}
