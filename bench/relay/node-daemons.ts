/**
 * The node daemons of the benchmark: `node bench/relay/node-daemons.ts FLEET_URL TOKEN MODEL REGION:ENGINE_PORT…`. In
 * one process, because each would have a machine to itself: eight of them, cold on two cores, would be what is measured.
 */
import { noLog, systemClock, systemRng } from '../../src/core/index.ts';
import { CANARY_DEFAULTS, LINK_DEFAULTS, startNodeDaemon } from '../../src/node/index.ts';

const [fleetUrl = '', token = '', model = '', ...places] = process.argv.slice(2);

await Promise.all(
  places.map((place, index) => {
    const [region = '', enginePort = ''] = place.split(':');
    return startNodeDaemon(
      {
        node: { id: `node-${index}`, region },
        gateways: [fleetUrl],
        credentials: { kind: 'token', token },
        canary: { ...CANARY_DEFAULTS, tokens: 0 },
      engine: {
          kind: 'sglang', continuation: 'auto',
          url: `http://127.0.0.1:${enginePort}`,
          env: {},
          startTimeoutMs: 30_000,
          restart: { backoffMinMs: 1_000, backoffMaxMs: 10_000 },
        },
        models: [model],
        weightDtype: 'fp8',
        contextTokens: 163_840,
        listen: { host: '127.0.0.1', port: 0 },
        link: LINK_DEFAULTS,
        drainMs: 1_000,
      },
      { clock: systemClock, rng: systemRng(), log: noLog },
    );
  }),
);
