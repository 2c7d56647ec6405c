import type { Redis } from 'ioredis';
import { RedisServer } from './redis-server.ts';
import { until } from './until.ts';

const SLOTS = 16_384;
const MASTERS = 3;

/** A Redis Cluster of three masters, each with a replica, on this machine. */
export class RedisCluster {
  readonly servers: readonly RedisServer[];
  readonly #clients: readonly Redis[];

  private constructor(servers: readonly RedisServer[]) {
    this.servers = servers;
    this.#clients = servers.map((server) => server.client());
    for (const client of this.#clients) client.on('error', () => {});
  }

  static async start(): Promise<RedisCluster> {
    const settings = ['--cluster-enabled', 'yes', '--cluster-node-timeout', '1000', '--cluster-replica-validity-factor', '0'];
    const cluster = new RedisCluster(await Promise.all(Array.from({ length: 2 * MASTERS }, () => RedisServer.start(settings))));
    await cluster.#form();
    return cluster;
  }

  get urls(): string[] {
    return this.servers.map(({ url }) => url);
  }

  client(i: number): Redis {
    return this.#clients[i] as Redis;
  }

  /** Which server answers for a key's slot now, asked of server `from`. */
  async masterOf(key: string, from = 0): Promise<{ readonly server: number; readonly slot: number }> {
    const client = this.client(from);
    const slot = await client.cluster('KEYSLOT', key);
    for (const [first, last, master] of await client.cluster('SLOTS')) {
      if (master !== undefined && slot >= first && slot <= last) return { server: this.servers.findIndex(({ port }) => port === master[1]), slot };
    }
    throw new Error(`nobody has slot ${slot}`);
  }

  /** Moves a slot with all that is in it to another master, while clients go on. */
  async moveSlot(slot: number, from: number, to: number): Promise<void> {
    const [source, target] = [this.client(from), this.client(to)];
    const [sourceId, targetId] = await Promise.all([source.cluster('MYID'), target.cluster('MYID')]);
    await target.cluster('SETSLOT', slot, 'IMPORTING', String(sourceId));
    await source.cluster('SETSLOT', slot, 'MIGRATING', String(targetId));
    for (;;) {
      const keys = (await source.cluster('GETKEYSINSLOT', slot, 100)) as string[];
      if (keys.length === 0) break;
      await source.call('MIGRATE', '127.0.0.1', String(this.servers[to]?.port), '', '0', '5000', 'KEYS', ...keys);
    }
    for (const client of [target, source]) await client.cluster('SETSLOT', slot, 'NODE', String(targetId));
  }

  async close(): Promise<void> {
    for (const client of this.#clients) client.disconnect();
    await Promise.all(this.servers.map((server) => server.close()));
  }

  async #form(): Promise<void> {
    const ids = await Promise.all(this.#clients.map((client) => client.cluster('MYID').then(String)));
    for (let i = 0; i < MASTERS; i += 1) {
      await this.client(i).cluster('ADDSLOTSRANGE', Math.floor((i * SLOTS) / MASTERS), Math.floor(((i + 1) * SLOTS) / MASTERS) - 1);
    }
    for (const { port } of this.servers.slice(1)) await this.client(0).cluster('MEET', '127.0.0.1', port);
    const knowsAll = async (client: Redis): Promise<boolean> => String(await client.cluster('NODES')).trim().split('\n').filter((line) => !line.includes('handshake')).length === 2 * MASTERS;
    await until(async () => (await Promise.all(this.#clients.map(knowsAll))).every(Boolean), 'all nodes know each other');
    for (let i = 0; i < MASTERS; i += 1) await this.client(MASTERS + i).cluster('REPLICATE', String(ids[i]));
    const isOk = async (client: Redis): Promise<boolean> => /cluster_state:ok/.test(String(await client.cluster('INFO')));
    const isLinked = async (client: Redis): Promise<boolean> => /master_link_status:up/.test(await client.info('replication'));
    await until(async () => (await Promise.all([...this.#clients.map(isOk), ...this.#clients.slice(MASTERS).map(isLinked)])).every(Boolean), 'the cluster is ready');
  }
}
