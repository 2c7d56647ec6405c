import { noLog, seededRng, systemClock } from '../../src/core/index.ts';
import { CANARY_DEFAULTS, startNodeDaemon, type NodeDaemon, type NodeDaemonOptions } from '../../src/node/index.ts';
import { FakeEngine } from './fake-engine.ts';
import { FakeGateway, FLEET_TOKEN } from './fake-gateway.ts';
import { eventually } from './eventually.ts';

/** Options of a node in front of `engineUrl`, with times short enough for tests. */
export function nodeOptions(engineUrl: string, gatewayUrls: readonly string[], more: Partial<NodeDaemonOptions> = {}): NodeDaemonOptions {
  return {
    node: { id: 'n1', region: 'here' },
    gateways: gatewayUrls,
    credentials: { kind: 'token', token: FLEET_TOKEN },
    engine: { kind: 'sglang', continuation: 'auto', url: engineUrl, env: {}, startTimeoutMs: 10_000, restart: { backoffMinMs: 5, backoffMaxMs: 20 } },
    canary: { ...CANARY_DEFAULTS, tokens: 0 },
    models: ['m'],
    weightDtype: 'fp8',
    contextTokens: 8192,
    listen: { host: '127.0.0.1', port: 0 },
    link: {
      loadMsMin: 10,
      prefixMs: 20,
      loadMsMax: 50,
      pingMs: 100,
      deadMs: 5_000,
      batchWindowMs: 2,
      reconnectMinMs: 5,
      reconnectMaxMs: 20,
      messageBytesMax: 1 << 24,
      heldBytesMax: 1 << 24,
    },
    drainMs: 10_000,
    ...more,
    tuning: { probeMs: 20, infoMs: 50, abortWaitMs: 400, abortRepeatMs: 50, ...more.tuning },
  };
}

/** A fake engine, a daemon and a fake gateway, linked and ready; everything is stopped by `close`. */
export class NodeUnderTest {
  readonly engine = new FakeEngine();
  readonly gateway = new FakeGateway();
  #daemon: NodeDaemon | null = null;

  get daemon(): NodeDaemon {
    if (this.#daemon === null) throw new Error('the daemon was not started');
    return this.#daemon;
  }

  /** `kind`: as what the daemon takes the engine. */
  async start(more: Partial<NodeDaemonOptions> = {}, kind: 'sglang' | 'openai' = 'sglang'): Promise<void> {
    await this.engine.start();
    await this.gateway.start();
    const options = nodeOptions(this.engine.url, [this.gateway.url], more);
    const deps = { clock: systemClock, rng: seededRng(1), log: noLog };
    this.#daemon = await startNodeDaemon({ ...options, engine: { ...options.engine, kind } }, deps);
    await this.ready();
  }

  /** Resolves once the gateway has heard that the node is ready, and its load. */
  async ready(): Promise<void> {
    await eventually(() => {
      if (this.gateway.state !== 'ready' || this.gateway.loads.length === 0) throw new Error('the node is not ready yet');
    });
  }

  async close(): Promise<void> {
    await this.#daemon?.close();
    await this.gateway.stop();
    await this.engine.stop();
  }
}
