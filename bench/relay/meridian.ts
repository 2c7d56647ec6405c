import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import manifest from '../../package.json' with { type: 'json' };
import { MODEL } from './answer.ts';
import { freePort, nodeChild, type Child } from './child.ts';
import type { Row, RunningRow, World } from './row.ts';

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const NODE_DAEMONS = fileURLToPath(new URL('./node-daemons.ts', import.meta.url));
const ADMIN_KEY = 'bench-admin-key-of-no-worth';
const FLEET_TOKEN = 'bench-fleet-token';
const REGIONS = ['gcp-us-east4', 'aws-us-west-2', 'oci-uk-london'];

/** Everything on (keys, routing over all replicas, metering, journal), with a node daemon in front of each engine. */
export const meridianLinks: Row = meridianRow('meridian-links', 'Meridian, through links', async (world, ports) => {
  const gateway = startGateway(world, ports, []);
  await gateway.listensOn(ports.fleet);
  return { gateway, nodes: [startNodes(world, ports.fleet)] };
});

/** The same without daemons: the gateway speaks to each engine through an undici pool. */
export const meridianPools: Row = meridianRow('meridian-pools', 'Meridian, through undici pools', async (world, ports) => {
  const replicas = world.enginePorts.map((enginePort, index) => ({
    id: `replica-${index}`,
    url: `http://127.0.0.1:${enginePort}`,
    region: regionOf(index),
    models: [MODEL],
    engine: 'sglang',
  }));
  return { gateway: startGateway(world, ports, replicas), nodes: [] };
});

interface Ports {
  readonly public: number;
  readonly admin: number;
  readonly fleet: number;
}

interface Processes {
  readonly gateway: Child;
  readonly nodes: readonly Child[];
}

function meridianRow(name: string, title: string, startProcesses: (world: World, ports: Ports) => Promise<Processes>): Row {
  return {
    name,
    title,
    missing: () => (existsSync(MAIN) ? undefined : 'src/main.ts is not there'),
    start: async (world): Promise<RunningRow> => {
      const ports: Ports = { public: await freePort(), admin: await freePort(), fleet: await freePort() };
      const { gateway, nodes } = await startProcesses(world, ports);
      await gateway.answersAt(`http://127.0.0.1:${ports.admin}/readyz`);
      await allReady(ports.admin, world.enginePorts.length);
      const authorization = `Bearer ${await makeApiKey(ports.admin)}`;
      return {
        targets: [{ port: ports.public, headers: { authorization } }],
        proxyPids: [gateway.pid],
        nodePids: nodes.map((node) => node.pid),
        heapBytes: () => gateway.heapBytes(),
      };
    },
  };
}

function startGateway(world: World, ports: Ports, replicas: readonly object[]): Child {
  const config = {
    gateway: { id: 'gateway-1', region: regionOf(0) },
    listen: {
      public: { port: ports.public },
      admin: { port: ports.admin },
      fleet: { port: ports.fleet, token: FLEET_TOKEN },
    },
    data_dir: join(world.workDir, 'gateway'),
    admin_key: ADMIN_KEY,
    models: { [MODEL]: {} },
    drain: { readiness_ms: 0, streams_ms: 1_000 },
    // Load, engines and gateway share the machine: what is measured is what a request costs, not when it is refused.
    overload: { critical: { delay_ms: 60_000 }, standard: { delay_ms: 60_000 }, batch: { delay_ms: 60_000 } },
    replicas,
  };
  return startMeridian(world, config);
}

/** Starts the daemons of all engines; the gateway says when they are linked and ready. */
function startNodes({ enginePorts, workDir }: World, fleetPort: number): Child {
  const places = enginePorts.map((enginePort, index) => `${regionOf(index)}:${enginePort}`);
  const args = [NODE_DAEMONS, `ws://127.0.0.1:${fleetPort}/link`, FLEET_TOKEN, MODEL, ...places];
  return nodeChild({ name: 'nodes', args, workDir, hasProbe: false });
}

function startMeridian(world: World, config: object): Child {
  const configPath = join(world.workDir, 'gateway.yaml');
  writeFileSync(configPath, stringify(config));
  // As tools/run.mjs starts it.
  const flags = manifest.config.node_flags.split(' ');
  return nodeChild({ name: 'gateway', args: [...flags, MAIN, 'gateway', '--config', configPath], workDir: world.workDir, hasProbe: world.hasProbe });
}

/** Resolves when the gateway counts `replicas` of them as ready. */
async function allReady(adminPort: number, replicas: number): Promise<void> {
  for (let tries = 0; tries < 400; tries += 1) {
    const answer = await fetch(`http://127.0.0.1:${adminPort}/admin/v1/fleet`, { headers: { authorization: `Bearer ${ADMIN_KEY}` } });
    const { data } = (await answer.json()) as { data: { state: string }[] };
    if (data.filter(({ state }) => state === 'ready').length === replicas) return;
    await sleep(50);
  }
  throw new Error('The replicas did not become ready.');
}

async function makeApiKey(adminPort: number): Promise<string> {
  const answer = await fetch(`http://127.0.0.1:${adminPort}/admin/v1/keys`, {
    method: 'POST',
    headers: { authorization: `Bearer ${ADMIN_KEY}`, 'content-type': 'application/json' },
    body: JSON.stringify({ name: 'bench' }),
  });
  const body = (await answer.json()) as { key?: string };
  if (body.key === undefined) throw new Error(`The gateway made no key: ${answer.status} ${JSON.stringify(body)}`);
  return body.key;
}

function regionOf(index: number): string {
  return REGIONS[index % REGIONS.length] ?? 'gcp-us-east4';
}
