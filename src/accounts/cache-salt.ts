import { createHmac } from 'node:crypto';
import { LRUCache } from 'lru-cache';

const MAX_REMEMBERED = 10_000;

/**
 * The salt of an organization's KV cache, 64 hex characters: HMAC-SHA-256 of its id under `secret`. Organizations with
 * different salts never share cached prompts, and nobody can compute another's. Remembers `maxRemembered` of them.
 */
export function cacheSalts(secret: Buffer, maxRemembered = MAX_REMEMBERED): (organization: string) => string {
  const salts = new LRUCache<string, string>({ max: maxRemembered });
  return (organization) => {
    const known = salts.get(organization);
    if (known !== undefined) return known;
    const salt = createHmac('sha256', secret).update(organization).digest('hex');
    salts.set(organization, salt);
    return salt;
  };
}
