import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MeridianProcess } from './meridian-process.ts';
import { ADMIN_KEY, adminOf, FLEET_TOKEN, MODEL, type TestFleet } from './test-fleet.ts';

/** A gateway as `meridian gateway --config FILE` runs it. */
export interface GatewayProcess {
  readonly process: MeridianProcess;
  readonly publicUrl: string;
  readonly adminUrl: string;
  readonly fleetUrl: string;
  readonly admin: TestFleet['admin'];
}

/** Writes a configuration into `directory`, where the gateway also keeps its data; the public and admin ports are any free ones. */
export function writeGatewayConfig(directory: string, fleetPort: number, more = '', drainMs = 5_000): string {
  const file = join(directory, 'gateway.yaml');
  const text = `
gateway: { id: under-test, region: gcp-us-east4 }
listen:
  public: { port: 0 }
  admin: { port: 0 }
  fleet: { port: ${fleetPort}, token: ${FLEET_TOKEN} }
data_dir: ${join(directory, 'data')}
admin_key: ${ADMIN_KEY}
models: { ${MODEL}: {} }
drain: { readiness_ms: 0, streams_ms: ${drainMs} }
${more}`;
  writeFileSync(file, text);
  return file;
}

/** Starts it, and resolves once it is up. */
export async function startGatewayProcess(config: string): Promise<GatewayProcess> {
  const process = new MeridianProcess(['gateway', '--config', config]);
  await process.prints('gateway is up');
  const { publicUrl, adminUrl, fleetUrl } = process.logged.find(({ fleetUrl: url }) => url !== undefined) ?? {};
  return {
    process,
    publicUrl: String(publicUrl),
    adminUrl: String(adminUrl),
    fleetUrl: String(fleetUrl),
    admin: adminOf(String(adminUrl)),
  };
}
