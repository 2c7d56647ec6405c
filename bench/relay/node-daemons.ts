/**
 * The node daemons of the benchmark: `node bench/relay/node-daemons.ts FLEET_URL TOKEN MODEL REGION:ENGINE_PORT…`. In
 * one process, because each would have a machine to itself: eight of them, cold on two cores, would be what is measured.
 */
import { noLog, systemClock, systemRng } from '../../src/core/index.ts';
import { startNodeDaemon } from '../../src/node/index.ts';

const [fleetUrl = '', token = '', model = '', ...places] = process.argv.slice(2);
const MIB = 1 << 20;

await Promise.all(
  places.map((place, index) => {
    const [region = '', enginePort = ''] = place.split(':');
    return startNodeDaemon(
      {
        node: { id: `node-${index}`, region },
        gateways: [fleetUrl],
        token,
        engine: {
          kind: 'sglang',
          url: `http://127.0.0.1:${enginePort}`,
          env: {},
          startTimeoutMs: 30_000,
          restart: { backoffMinMs: 1_000, backoffMaxMs: 10_000 },
        },
        models: [model],
        weightDtype: 'fp8',
        contextTokens: 163_840,
        listen: { host: '127.0.0.1', port: 0 },
        link: {
          loadMsMin: 50,
          loadMsMax: 500,
          pingMs: 500,
          deadMs: 2_000,
          batchWindowMs: 1,
          reconnectMinMs: 250,
          reconnectMaxMs: 5_000,
          messageBytesMax: 16 * MIB,
          heldBytesMax: 64 * MIB,
        },
        drainMs: 1_000,
      },
      { clock: systemClock, rng: systemRng(), log: noLog },
    );
  }),
);
