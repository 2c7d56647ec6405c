import { randomFillSync } from 'node:crypto';

const CROCKFORD = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const POOL_BYTES = 4096;
const RANDOM_CHARS = 16;

const pool = new Uint8Array(POOL_BYTES);
let used = POOL_BYTES;
let stampMs = -1;
let stampText = '';

/**
 * A ULID: 10 characters of milliseconds since the epoch, then 16 random ones (80 bits). 26 characters, always;
 * ids of different milliseconds sort by time.
 */
export function ulid(wallMs: number): string {
  if (wallMs !== stampMs) {
    stampMs = wallMs;
    stampText = timeChars(wallMs);
  }
  if (used + RANDOM_CHARS > POOL_BYTES) {
    randomFillSync(pool);
    used = 0;
  }
  let text = stampText;
  for (let i = 0; i < RANDOM_CHARS; i += 1) text += CROCKFORD.charAt((pool[used + i] ?? 0) & 31);
  used += RANDOM_CHARS;
  return text;
}

function timeChars(wallMs: number): string {
  let rest = wallMs;
  let text = '';
  for (let i = 0; i < 10; i += 1) {
    text = CROCKFORD.charAt(rest % 32) + text;
    rest = Math.floor(rest / 32);
  }
  return text;
}

/** `req_` and a ULID: 30 characters. */
export function requestId(wallMs: number): string {
  return `req_${ulid(wallMs)}`;
}

/**
 * The id of the n-th attempt (0 to 99) of a request: 33 characters, always, so that no attempt id is a prefix of
 * another: engines that abort by prefix (SGLang) stop the one that was meant.
 */
export function attemptId(request: string, n: number): string {
  return n < 10 ? `${request}-0${n}` : `${request}-${n}`;
}
