import { once } from 'node:events';
import { systemClock, systemRng } from '../core/index.ts';
import { CANARY_DEFAULTS, LINK_DEFAULTS, startNodeDaemon, type NodeDaemonOptions } from '../node/index.ts';
import { startDistanceProxy, startSimEngine } from '../sim/index.ts';
import { jsonLog } from '../telemetry/index.ts';
import type { JoinOrder, RegionOrder } from './demo-region-process.ts';

/** The program of one region of the demo: simulated engines, a node daemon in front of each, and the distance to the gateway. */
async function main(): Promise<void> {
  // The parent is gone without having said so: nothing may be left behind.
  process.once('disconnect', () => process.exit(0));
  process.once('SIGTERM', () => process.exit(0));
  const orders = messages();
  const { region, engine, timeScale, models, contextTokens } = (await orders.next()) as RegionOrder;
  const engines = await Promise.all(
    Array.from({ length: region.nodes }, (_, i) => startSimEngine({ model: String(models[0]), timeScale, engine, seed: i + 1 })),
  );
  const { fleetUrl, token } = (await orders.next()) as JoinOrder;
  const world = { clock: systemClock, rng: systemRng() };
  const { hostname, port, pathname } = new URL(fleetUrl);
  const proxy = await startDistanceProxy({
    target: { host: hostname, port: Number(port) },
    oneWayMs: region.oneWayMs,
    jitterMs: region.jitterMs,
    ...world,
  });
  const log = jsonLog({ level: 'warn', clock: systemClock, stream: process.stderr });
  await Promise.all(
    engines.map(({ url }, i) => {
      const options: NodeDaemonOptions = {
        node: { id: `${region.name}-${i + 1}`, region: region.name },
        gateways: [`ws://127.0.0.1:${proxy.port}${pathname}`],
        credentials: { kind: 'token', token },
        engine: { kind: 'sglang', continuation: 'auto', url, env: {}, startTimeoutMs: 60_000, restart: { backoffMinMs: 1_000, backoffMaxMs: 10_000 } },
        canary: CANARY_DEFAULTS,
        models,
        weightDtype: 'fp8',
        contextTokens,
        listen: { host: '127.0.0.1', port: 0 },
        link: LINK_DEFAULTS,
        drainMs: 3_000,
      };
      return startNodeDaemon(options, { ...world, log });
    }),
  );
}

/** The parent's messages, one at a time, however early they came. */
function messages(): { next(): Promise<unknown> } {
  const waiting: unknown[] = [];
  process.on('message', (message) => void waiting.push(message));
  return {
    async next() {
      while (waiting.length === 0) await once(process, 'message');
      return waiting.shift();
    },
  };
}

await main();
