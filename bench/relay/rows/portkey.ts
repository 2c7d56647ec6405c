import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort, nodeChild } from '../child.ts';
import type { Row } from '../row.ts';

const VERSION = '1.15.2';
const PEERS_DIR = fileURLToPath(new URL('../../.peers', import.meta.url));
const START = join(PEERS_DIR, 'node_modules/@portkey-ai/gateway/build/start-server.js');

/** The nearest TypeScript peer. It takes the engine's address from a header, so the clients spread the requests. */
export const portkey: Row = {
  name: 'portkey',
  title: `Portkey ${VERSION}`,
  missing: () => (existsSync(START) ? undefined : 'not installed: npm run bench:relay -- --install-peers'),
  start: async ({ enginePorts, workDir, hasProbe }) => {
    const port = await freePort();
    const child = nodeChild({ name: 'portkey', args: [START, '--headless', `--port=${port}`], workDir, hasProbe });
    await child.listensOn(port);
    return {
      targets: enginePorts.map((enginePort) => ({ port, headers: headersFor(enginePort) })),
      proxyPids: [child.pid],
      nodePids: [],
      heapBytes: () => child.heapBytes(),
    };
  },
};

/** Installs it beside the project, not into it. The overrides are needed: with later hono a stream is answered 500. */
export function installPortkey(): void {
  mkdirSync(PEERS_DIR, { recursive: true });
  const manifest = {
    name: 'bench-peers',
    private: true,
    dependencies: { '@portkey-ai/gateway': VERSION },
    overrides: { '@hono/node-server': '1.13.5', hono: '4.9.7' },
  };
  writeFileSync(join(PEERS_DIR, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  const { status } = spawnSync('npm', ['install', '--no-audit', '--no-fund'], { cwd: PEERS_DIR, stdio: 'inherit' });
  if (status !== 0) throw new Error(`npm could not install Portkey into ${PEERS_DIR}.`);
}

function headersFor(enginePort: number): Record<string, string> {
  return {
    authorization: 'Bearer none',
    'x-portkey-provider': 'openai',
    'x-portkey-custom-host': `http://127.0.0.1:${enginePort}/v1`,
  };
}
