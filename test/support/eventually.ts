import { vi } from 'vitest';

/** Resolves once `check` throws no more; rejects with what it threw last when it still does after 20 s. For what has no event of its own. */
export function eventually<Value>(check: () => Value | Promise<Value>): Promise<Value> {
  return vi.waitFor(check, { timeout: 20_000, interval: 5 });
}
