import type { Row } from '../row.ts';

/** No proxy: what the others are compared with where time is measured. */
export const direct: Row = {
  name: 'direct',
  title: 'direct (no proxy)',
  missing: () => undefined,
  start: async ({ enginePorts }) => ({
    targets: enginePorts.map((port) => ({ port, headers: {} })),
    proxyPids: [],
    nodePids: [],
  }),
};
