import { createHash } from 'node:crypto';
import type { RedisClient } from './open-redis.ts';

/** A script that runs in Redis as one act. */
export interface Script {
  readonly lua: string;
  readonly sha: string;
}

export function script(lua: string): Script {
  return { lua, sha: createHash('sha1').update(lua).digest('hex') };
}

/** By its hash; with its text where a server has not seen it. All keys must be in one slot of a cluster. */
export async function runScript(client: RedisClient, { lua, sha }: Script, keys: readonly string[], args: readonly (string | number)[]): Promise<unknown> {
  try {
    return await client.evalsha(sha, keys.length, ...keys, ...args);
  } catch (error) {
    if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error;
    return client.eval(lua, keys.length, ...keys, ...args);
  }
}
