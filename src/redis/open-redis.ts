import type { Cluster, Redis } from 'ioredis';
import { MeridianError, type Logger } from '../core/index.ts';
import type { RedisSettings } from './redis-settings.ts';

/** A client of one server, of a master that Sentinels know, or of a cluster. */
export type RedisClient = Redis | Cluster;

const CONNECT_MS = 1_000;
const RETRY_MS_MAX = 1_000;
const VERSION_MIN = [6, 2] as const;

/** Waits a little longer each time, and never gives up: a server may be away for hours. */
const backoff = (times: number): number => Math.min(RETRY_MS_MAX, 50 * times);

/**
 * Opens a client. Nothing waits in it while the server is away: a command fails at once, or after `commandMs` without an answer.
 * Rejects with `conflict`, which says what to do, for what no waiting mends: a wrong password, a server too old, the wrong mode. A server
 * that cannot be reached is only logged: a gateway must come up without it.
 */
export async function openRedis(settings: RedisSettings, log: Logger): Promise<RedisClient> {
  const client = await clientOf(settings);
  let lastError = '';
  client.on('error', (error: Error) => {
    if (error.message !== lastError) log.warn({ error: error.message }, 'Redis cannot be used');
    lastError = error.message;
  });
  client.on('ready', () => (lastError = ''));
  try {
    await client.connect();
    await refuse(client, settings);
  } catch (error) {
    const reason = reasonOf(error, settings);
    if (reason !== null) {
      client.disconnect();
      throw reason;
    }
    log.error({ error: String(error) }, 'Redis cannot be reached: limits are counted by each gateway for its share until it is');
  }
  return client;
}

/** Another connection to the same, for a subscriber. */
export function duplicateOf(client: RedisClient): RedisClient {
  return client.isCluster ? (client as Cluster).duplicate() : (client as Redis).duplicate();
}

async function clientOf(settings: RedisSettings): Promise<RedisClient> {
  // Only where it is wanted: most gateways have no Redis.
  const { Cluster, Redis } = await import('ioredis');
  const common = { enableOfflineQueue: false, maxRetriesPerRequest: 0, commandTimeout: settings.commandMs, connectTimeout: CONNECT_MS, retryStrategy: backoff, lazyConnect: true, keepAlive: 10_000 };
  const places = settings.urls.map(placeOf);
  const [first] = places;
  if (first === undefined) throw new MeridianError('conflict', { message: 'redis.urls is empty.' });
  const { host, port, ...credentials } = first;
  switch (settings.mode) {
    case 'single':
      return new Redis({ ...common, host, port, ...credentials });
    case 'sentinel':
      return new Redis({ ...common, ...credentials, sentinels: places.map((place) => ({ host: place.host, port: place.port })), name: String(settings.sentinelName), sentinelRetryStrategy: backoff });
    case 'cluster': {
      const options = { enableOfflineQueue: false, redisOptions: { ...common, ...credentials }, clusterRetryStrategy: backoff, maxRedirections: 4, slotsRefreshTimeout: CONNECT_MS, slotsRefreshInterval: 5_000, lazyConnect: true };
      return new Cluster(places.map((place) => ({ host: place.host, port: place.port })), options);
    }
  }
}

function placeOf(text: string) {
  const url = new URL(text);
  return {
    host: url.hostname,
    port: url.port === '' ? 6_379 : Number(url.port),
    ...(url.username === '' ? {} : { username: decodeURIComponent(url.username) }),
    ...(url.password === '' ? {} : { password: decodeURIComponent(url.password) }),
    ...(url.pathname.length > 1 ? { db: Number(url.pathname.slice(1)) } : {}),
    ...(url.protocol === 'rediss:' ? { tls: {} } : {}),
  };
}

async function refuse(client: RedisClient, { mode, urls }: RedisSettings): Promise<void> {
  const info = await client.info();
  const version = /^redis_version:(\d+)\.(\d+)/m.exec(info);
  const [major, minor] = [Number(version?.[1]), Number(version?.[2])];
  if (major < VERSION_MIN[0] || (major === VERSION_MIN[0] && minor < VERSION_MIN[1])) {
    throw new MeridianError('conflict', { message: `Redis at ${placesText(urls)} is version ${major}.${minor}; Meridian needs ${VERSION_MIN.join('.')} or newer. Upgrade it.` });
  }
  const isCluster = /^redis_mode:cluster/m.test(info);
  if (isCluster && mode !== 'cluster') throw new MeridianError('conflict', { message: `Redis at ${placesText(urls)} is a node of a cluster. Say mode: cluster under redis.` });
}

/** What waiting does not mend, in words; null for all else. */
function reasonOf(error: unknown, { mode, urls }: RedisSettings): MeridianError | null {
  if (error instanceof MeridianError) return error;
  const text = [error, ...(error instanceof Error && 'lastNodeError' in error ? [error.lastNodeError] : [])].map(String).join(' ');
  const place = `Redis at ${placesText(urls)}`;
  if (/WRONGPASS|NOAUTH|NOPERM|invalid password/i.test(text)) return new MeridianError('conflict', { message: `${place} refuses the user or password of redis.urls: ${text}`, cause: error });
  if (mode === 'cluster' && /cluster support disabled/i.test(text)) return new MeridianError('conflict', { message: `${place} is no cluster. Say mode: single under redis.`, cause: error });
  if (mode === 'sentinel' && /unknown command.*sentinel/i.test(text)) return new MeridianError('conflict', { message: `${place} is no Sentinel. Name the Sentinels in redis.urls, or say mode: single.`, cause: error });
  return null;
}

/** Without passwords. */
function placesText(urls: readonly string[]): string {
  return urls.map((url) => new URL(url).host).join(', ');
}
