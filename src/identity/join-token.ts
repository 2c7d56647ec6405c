import { createHash, randomBytes } from 'node:crypto';

/** What a node joins with, once: a secret for the gateway, and the authority's pin by which the node knows the gateway. */
export interface JoinToken {
  readonly secret: string;
  readonly pin: string;
}

const FORM = /^mj_([A-Za-z0-9_-]{43})\.([A-Za-z0-9_-]{43})$/;

/** `mj_`, 256 random bits, and the pin. */
export function newJoinToken(pin: string): string {
  return `mj_${randomBytes(32).toString('base64url')}.${pin}`;
}

/** Null for anything else. */
export function parseJoinToken(text: string): JoinToken | null {
  const [, secret, pin] = FORM.exec(text) ?? [];
  return secret === undefined || pin === undefined ? null : { secret, pin };
}

/** How a token is kept: its secret cannot be told from it. */
export function tokenHash(secret: string): Buffer {
  return createHash('sha256').update(secret).digest();
}
