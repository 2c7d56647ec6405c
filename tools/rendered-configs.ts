/** `tools/rendered-configs.ts FILE`: holds every gateway.yaml and node.yaml in the ConfigMaps of a rendered chart against Meridian's own checks. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { loadGatewayConfig, loadNodeConfig } from '../src/config/index.ts';

const ENV = { MERIDIAN_ADMIN_KEY: 'an-admin-key-of-some-length', MERIDIAN_FLEET_TOKEN: 'a-fleet-token-of-some-length', MERIDIAN_GATEWAY_ID: 'g', POD_NAME: 'n' };

const [path = ''] = process.argv.slice(2);
const directory = mkdtempSync(join(tmpdir(), 'meridian-rendered-'));
let checked = 0;
try {
  for (const document of parseAllDocuments(readFileSync(path, 'utf8'))) {
    const { kind, data } = (document.toJS() ?? {}) as { readonly kind?: string; readonly data?: Readonly<Record<string, string>> };
    if (kind !== 'ConfigMap') continue;
    for (const [name, text] of Object.entries(data ?? {})) {
      const file = join(directory, name);
      writeFileSync(file, text);
      if (name === 'node.yaml') loadNodeConfig(file, ENV);
      else loadGatewayConfig(file, ENV);
      checked += 1;
    }
  }
} finally {
  rmSync(directory, { recursive: true });
}
if (checked === 0) throw new Error(`${path} has no configuration in it`);
