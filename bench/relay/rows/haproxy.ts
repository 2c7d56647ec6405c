import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Child, freePort } from '../child.ts';
import type { Row } from '../row.ts';
import { searchPath, versionOf } from './installed.ts';

const version = versionOf('haproxy', '-v');

/** HAProxy with one thread: the floor, and the unit of the ratios. */
export const haproxy: Row = {
  name: 'haproxy',
  title: `HAProxy ${version ?? ''}`.trim(),
  missing: () => (version === undefined ? 'not installed: apt-get install haproxy' : undefined),
  start: async ({ enginePorts, workDir }) => {
    const port = await freePort();
    const configPath = join(workDir, 'haproxy.cfg');
    writeFileSync(configPath, config(port, enginePorts));
    const child = new Child({ name: 'haproxy', command: 'haproxy', args: ['-db', '-f', configPath], workDir, env: searchPath() });
    await child.listensOn(port);
    return { targets: [{ port, headers: {} }], proxyPids: [child.pid], nodePids: [] };
  },
};

/**
 * Without `http-no-delay` HAProxy asks the kernel to wait for more after each chunk: tokens then reach the client in
 * clumps, up to 200 ms late. That costs less CPU, but it is no relay of a stream of tokens.
 */
function config(port: number, enginePorts: readonly number[]): string {
  return `global
  nbthread 1
  maxconn 8192
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  option http-keep-alive
  option http-no-delay
  http-reuse always
frontend public
  bind 127.0.0.1:${port}
  default_backend engines
backend engines
  balance roundrobin
${enginePorts.map((enginePort, index) => `  server engine${index} 127.0.0.1:${enginePort}\n`).join('')}`;
}
