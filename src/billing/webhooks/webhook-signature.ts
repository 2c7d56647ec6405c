import { createHmac, randomBytes } from 'node:crypto';

const PREFIX = 'whsec_';
const SECRET_BYTES = 32;

export interface SignedMessage {
  readonly id: string;
  readonly body: string;
  /** Of this attempt. */
  readonly wallMs: number;
  /** `whsec_…`; each signs. */
  readonly secrets: readonly string[];
}

/** A new secret: `whsec_` and 32 random bytes in base64. */
export function newWebhookSecret(): string {
  return `${PREFIX}${randomBytes(SECRET_BYTES).toString('base64')}`;
}

/** The headers of Standard Webhooks (https://www.standardwebhooks.com), version 1. */
export function signatureHeaders({ id, body, wallMs, secrets }: SignedMessage): Record<string, string> {
  const timestamp = String(Math.floor(wallMs / 1_000));
  const signatures = secrets.map((secret) => {
    const key = Buffer.from(secret.slice(PREFIX.length), 'base64');
    return `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')}`;
  });
  return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signatures.join(' ') };
}
