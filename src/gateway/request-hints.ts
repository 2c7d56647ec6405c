import type { IncomingHttpHeaders } from 'node:http';
import type { ApiKeyRecord } from '../accounts/index.ts';
import { isHigherPriority, isPriority, MeridianError, nearestName, PRIORITIES, type Priority } from '../core/index.ts';

/** What a client may say of its request beside OpenAI's parameters, in `x-meridian-*` headers. */
export interface RequestHints {
  /** Requests with the same one are kept together where that costs little; null without. */
  readonly session: string | null;
  readonly priority: Priority;
  /** How long it may wait at the edge, in milliseconds; null: as long as its class may. */
  readonly deadlineMs: number | null;
}

const PREFIX = 'x-meridian-';
const HINTS = ['x-meridian-session', 'x-meridian-priority', 'x-meridian-deadline-ms'];
const SESSION = /^[\x21-\x7e]{1,128}$/;
const DEADLINE_MS_MAX = 600_000;

/**
 * Reads and checks the hints of a request; `cacheKey` is its `prompt_cache_key`, which names a session where no header does.
 * Throws `invalid_value` that names the header, `unknown_parameter` for one that is not known, and `permission_denied` for a
 * priority above the key's.
 */
export function requestHints(headers: IncomingHttpHeaders, cacheKey: unknown, key: Pick<ApiKeyRecord, 'priorityMax'>): RequestHints {
  for (const name of Object.keys(headers)) if (name.startsWith(PREFIX) && !HINTS.includes(name)) refuseUnknown(name);
  return {
    session: sessionOf(headers['x-meridian-session'], cacheKey),
    priority: priorityOf(headers['x-meridian-priority'], key.priorityMax),
    deadlineMs: deadlineOf(headers['x-meridian-deadline-ms']),
  };
}

function sessionOf(header: string | string[] | undefined, cacheKey: unknown): string | null {
  if (header === undefined) return typeof cacheKey === 'string' && cacheKey !== '' ? cacheKey : null;
  if (typeof header === 'string' && SESSION.test(header)) return header;
  throw wrong('x-meridian-session', 'must be 1 to 128 visible ASCII characters');
}

function priorityOf(header: string | string[] | undefined, most: Priority): Priority {
  // A key of a lower class than the usual one has that class without asking.
  if (header === undefined) return isHigherPriority('standard', most) ? most : 'standard';
  if (!isPriority(header)) throw wrong('x-meridian-priority', `must be one of ${PRIORITIES.join(', ')}`);
  if (!isHigherPriority(header, most)) return header;
  throw new MeridianError('permission_denied', {
    param: 'x-meridian-priority',
    message: `This API key may ask for the priority '${most}' at most, not '${header}'.`,
  });
}

function deadlineOf(header: string | string[] | undefined): number | null {
  if (header === undefined) return null;
  const deadlineMs = typeof header === 'string' && /^\d{1,6}$/.test(header) ? Number(header) : 0;
  if (deadlineMs >= 1 && deadlineMs <= DEADLINE_MS_MAX) return deadlineMs;
  throw wrong('x-meridian-deadline-ms', `must be a whole number of milliseconds from 1 to ${DEADLINE_MS_MAX}`);
}

function wrong(header: string, what: string): MeridianError {
  return new MeridianError('invalid_value', { param: header, message: `The header '${header}' ${what}.` });
}

function refuseUnknown(name: string): never {
  const near = nearestName(name, HINTS);
  const meant = near === null ? `Known are ${HINTS.join(', ')}.` : `Did you mean '${near}'?`;
  throw new MeridianError('unknown_parameter', { param: name, message: `The header '${name.slice(0, 100)}' is not known. ${meant}` });
}
