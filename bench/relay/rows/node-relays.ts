import { fileURLToPath } from 'node:url';
import { freePort, nodeChild } from '../child.ts';
import type { Row } from '../row.ts';

/** Bytes copied between sockets by Node: the floor for a proxy with a connection per stream in this runtime. */
export const tcpRelay: Row = relayRow('tcp-relay', `bare TCP relay in Node ${process.versions.node}`);

/** `node:http` in front of undici and nothing else. */
export const httpRelay: Row = relayRow('http-relay', `node:http + undici dispatch`);

function relayRow(name: string, title: string): Row {
  const script = fileURLToPath(new URL(`../${name}.ts`, import.meta.url));
  return {
    name,
    title,
    missing: () => undefined,
    start: async ({ enginePorts, workDir, hasProbe }) => {
      const port = await freePort();
      const child = nodeChild({ name, args: [script, String(port), ...enginePorts.map(String)], workDir, hasProbe });
      await child.listensOn(port);
      return {
        targets: [{ port, headers: {} }],
        proxyPids: [child.pid],
        nodePids: [],
        heapBytes: () => child.heapBytes(),
      };
    },
  };
}
