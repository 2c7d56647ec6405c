/** How Redis is reached. */
export interface RedisSettings {
  readonly mode: 'single' | 'sentinel' | 'cluster';
  /** As `redis://user:password@host:6379`, or `rediss://` with TLS: the server, Sentinels, or nodes of the cluster. */
  readonly urls: readonly string[];
  /** What Sentinels call the master. */
  readonly sentinelName?: string | undefined;
  /** First part of all keys and channels. */
  readonly keyPrefix: string;
  /** How long an answer is waited for. */
  readonly commandMs: number;
}
