import type { Cluster, Redis } from 'ioredis';
import { MeridianError, systemClock, wait, type Logger } from '../core/index.ts';
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
  if (!(await probe(settings))) log.error({ redis: placesText(settings.urls) }, 'Redis cannot be reached: limits are counted by each gateway for its share until it is');
  const client = await clientOf(settings);
  let lastError = '';
  client.on('error', (error: Error) => {
    if (error.message !== lastError) log.warn({ error: error.message }, 'Redis cannot be used');
    lastError = error.message;
  });
  client.on('ready', () => (lastError = ''));
  // It goes on trying by itself.
  await Promise.race([client.connect().catch(() => {}), wait(systemClock, CONNECT_MS)]);
  return client;
}

/** Asks the first of the places that answers what it is; false when none does. Throws for what is wrong for good. */
async function probe(settings: RedisSettings): Promise<boolean> {
  const { Redis } = await import('ioredis');
  for (const url of settings.urls) {
    const client = new Redis({ ...placeOf(url), lazyConnect: true, enableReadyCheck: false, retryStrategy: () => null, connectTimeout: CONNECT_MS, commandTimeout: CONNECT_MS, maxRetriesPerRequest: 0 });
    // What was said to the greeting comes as an event; the connection is only closed then.
    let said = '';
    client.on('error', (error) => (said = String(error)));
    try {
      await client.connect();
      refuse(await client.info(), settings);
      return true;
    } catch (error) {
      if (error instanceof MeridianError) throw error;
      const reason = `${said} ${String(error)}`.trim();
      if (/WRONGPASS|NOAUTH|NOPERM|invalid password/i.test(reason)) throw refusal(`refuses the user or password of redis.urls: ${reason}`, settings);
    } finally {
      client.disconnect();
    }
  }
  return false;
}

function refuse(info: string, settings: RedisSettings): void {
  const version = /^redis_version:(\d+)\.(\d+)/m.exec(info);
  const [major, minor] = [Number(version?.[1]), Number(version?.[2])];
  if (major < VERSION_MIN[0] || (major === VERSION_MIN[0] && minor < VERSION_MIN[1])) {
    throw refusal(`is version ${major}.${minor}; Meridian needs ${VERSION_MIN.join('.')} or newer. Upgrade it.`, settings);
  }
  const is = /^redis_mode:(\w+)/m.exec(info)?.[1] ?? 'standalone';
  const wanted = MODES[settings.mode];
  if (is !== wanted.name) throw refusal(`is ${WORDS[is] ?? is}. Say mode: ${is === 'standalone' ? 'single' : is} under redis${wanted.hint}.`, settings);
}

/** What each mode expects at its URLs, as Redis says it. */
const MODES = {
  single: { name: 'standalone', hint: '' },
  cluster: { name: 'cluster', hint: '' },
  sentinel: { name: 'sentinel', hint: ', or name the Sentinels in redis.urls' },
} as const;

const WORDS: Readonly<Record<string, string>> = { standalone: 'a server, no cluster and no Sentinel', cluster: 'a node of a cluster', sentinel: 'a Sentinel' };

function refusal(what: string, { urls }: RedisSettings): MeridianError {
  return new MeridianError('conflict', { message: `Redis at ${placesText(urls)} ${what}` });
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

/** Without passwords. */
function placesText(urls: readonly string[]): string {
  return urls.map((url) => new URL(url).host).join(', ');
}
