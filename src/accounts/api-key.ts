import { createHmac, randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';

/** `live` keys use the models; `admin` keys use the administration API. */
export type KeyKind = 'live' | 'admin';

/** A key as its holder presents it, found well-formed. */
export interface ParsedApiKey {
  readonly kind: KeyKind;
  readonly secret: string;
}

const BASE62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const RANDOM_BYTES = 32;
/** The least number of base62 digits that hold 256 bits. */
const RANDOM_CHARS = 43;
/** The least number that hold 32. */
const CHECK_CHARS = 6;
const FORM = /^(mk_(live|admin)_[0-9A-Za-z]{43})([0-9A-Za-z]{6})$/;

/** A new key: `mk_live_` or `mk_admin_`, 256 random bits, and a check by which a mistyped key is told at once. */
export function newApiKey(kind: KeyKind): string {
  const random = BigInt(`0x${randomBytes(RANDOM_BYTES).toString('hex')}`);
  const body = `mk_${kind}_${base62(random, RANDOM_CHARS)}`;
  return body + checkOf(body);
}

/** Null when `text` cannot be a key: wrong form, or a slip of the keyboard that its check gives away. */
export function parseApiKey(text: string): ParsedApiKey | null {
  const match = FORM.exec(text);
  if (match === null || checkOf(match[1] ?? '') !== match[3]) return null;
  return { kind: match[2] === 'admin' ? 'admin' : 'live', secret: text };
}

/** What is stored in a key's place: HMAC-SHA-256 under the installation's pepper. */
export function hashApiKey(pepper: Buffer, secret: string): Buffer {
  return createHmac('sha256', pepper).update(secret).digest();
}

/** Enough of a key for its owner to recognise it by, and of no use to anybody else. */
export function keyHint(secret: string): string {
  return `${secret.slice(0, secret.lastIndexOf('_') + 1)}…${secret.slice(-4)}`;
}

function checkOf(body: string): string {
  return base62(BigInt(crc32(body)), CHECK_CHARS);
}

function base62(value: bigint, width: number): string {
  let rest = value;
  let text = '';
  for (let i = 0; i < width; i += 1) {
    text = BASE62.charAt(Number(rest % 62n)) + text;
    rest /= 62n;
  }
  return text;
}
