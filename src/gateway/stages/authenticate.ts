import type { IncomingHttpHeaders } from 'node:http';
import type { ApiKeyRecord } from '../../accounts/index.ts';
import { liesIn, MeridianError } from '../../core/index.ts';
import type { Endpoint } from '../context.ts';
import type { GatewayDeps } from '../deps.ts';

const BEARER = /^Bearer +([^\s]+) *$/i;

/**
 * Finds whose request it is. Rejects with `invalid_api_key`, or `permission_denied` for another organisation's or project's name, from
 * an address that the key may not be used from, and for an endpoint that it has no scope for; null: one that needs none.
 */
export async function authenticate(
  headers: IncomingHttpHeaders,
  address: string | undefined,
  endpoint: Endpoint | null,
  deps: Pick<GatewayDeps, 'keys' | 'clock'>,
): Promise<ApiKeyRecord> {
  const secret = BEARER.exec(headers.authorization ?? '')?.[1];
  if (secret === undefined) {
    throw new MeridianError('invalid_api_key', {
      message: "You didn't provide an API key. Send it in the header 'Authorization: Bearer mk_live_…'.",
    });
  }
  if (secret.startsWith('mk_admin_')) throw new MeridianError('invalid_api_key', { message: 'This is an admin key; use an API key here.' });
  const asked = deps.keys.authenticate(secret, deps.clock.wallMs());
  const found = asked instanceof Promise ? await asked : asked;
  if (found.kind !== 'ok') throw new MeridianError('invalid_api_key', { message: WHY[found.kind] });
  if (found.key.kind !== 'live') throw new MeridianError('invalid_api_key', { message: 'This is an admin key; use an API key here.' });
  refuseMismatch(headers['openai-organization'], found.key.organization, 'OpenAI-Organization');
  refuseMismatch(headers['openai-project'], found.key.project, 'OpenAI-Project');
  const { networks, scopes } = found.key;
  if (networks !== null && !liesIn(networks, address ?? '')) {
    throw new MeridianError('permission_denied', { message: `This API key may not be used from ${address ?? 'here'}: it is bound to other networks.` });
  }
  if (endpoint !== null && !scopes.includes(INFERENCE) && !scopes.includes(endpoint)) {
    throw new MeridianError('permission_denied', { message: `This API key has no scope for ${endpoint}: it has ${scopes.join(', ') || 'none'}.` });
  }
  return found.key;
}

/** The scope of every endpoint. */
const INFERENCE = 'inference';

const WHY = {
  malformed: 'Incorrect API key provided: it is not of the form mk_live_…, or was mistyped.',
  unknown: 'Incorrect API key provided.',
  revoked: 'This API key was revoked.',
  expired: 'This API key has expired.',
  archived: 'The project of this API key is archived.',
} as const;

function refuseMismatch(named: string | string[] | undefined, actual: string, header: string): void {
  if (named === undefined || named === actual) return;
  throw new MeridianError('permission_denied', { message: `The header ${header} does not match this API key.` });
}
