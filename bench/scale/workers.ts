import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { freePort, MeridianProcess } from '../../test/support/meridian-process.ts';
import { ADMIN_KEY, adminOf, MODEL } from '../../test/support/test-fleet.ts';
import { cpuNs } from '../relay/process-usage.ts';
import { askMany } from './fleet-load.ts';

export interface WorkersFigures {
  readonly workers: number;
  readonly requestsPerS: number;
  /** Of all processes of the gateway. */
  readonly cpuUsPerRequest: number;
  readonly refused: number;
}

const LANES = 48;
const ENGINES = fileURLToPath(new URL('./engine-process.ts', import.meta.url));

/** Requests as fast as they come from one process of clients, against engines in another one. */
export async function workersFigures(workers: number, postgresUrl: string, redisUrl: string, requests: number): Promise<WorkersFigures> {
  const directory = mkdtempSync(join(tmpdir(), 'meridian-bench-workers-'));
  const engines = fork(ENGINES, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const [{ url }] = (await once(engines, 'message')) as [{ url: string }];
  const [port, adminPort] = [await freePort(), await freePort()];
  const file = join(directory, 'gateway.yaml');
  writeFileSync(
    file,
    `
gateway: { id: bench-${workers}, region: gcp-us-east4 }
listen: { public: { port: ${port} }, admin: { port: ${adminPort} } }
data_dir: ${join(directory, 'data')}
admin_key: ${ADMIN_KEY}
models: { ${MODEL}: {} }
replicas: [{ id: engine-1, url: '${url}', region: gcp-us-east4, models: [${MODEL}], engine: sglang, max_running: 256 }]
overload: { standard: { delay_ms: 600000, heap_share: 1 } }
postgres: { url: '${postgresUrl}' }
redis: { urls: ['${redisUrl}'], key_prefix: workers-${workers}, command_ms: 1000 }
`,
  );
  const gateway = new MeridianProcess(['gateway', '--config', file, '--workers', String(workers)]);
  try {
    await gateway.prints('gateway is up');
    const adminUrl = `http://127.0.0.1:${adminPort}`;
    const { json } = await adminOf(adminUrl)('POST', '/admin/v1/keys', { name: 'bench' });
    const urls = [`http://127.0.0.1:${port}/v1`];
    await askMany(urls, String(json['key']), Math.ceil(requests / 5), LANES);
    const [cpuBefore, startedMs] = [cpuNs([gateway.pid]), performance.now()];
    const { ms, refused } = await askMany(urls, String(json['key']), requests, LANES);
    const seconds = (performance.now() - startedMs) / 1_000;
    const cpuUs = (cpuNs([gateway.pid]) - cpuBefore) / 1_000;
    return { workers, requestsPerS: ms.length / seconds, cpuUsPerRequest: cpuUs / ms.length, refused };
  } finally {
    await gateway.end('SIGTERM');
    stop(engines);
    rmSync(directory, { recursive: true });
  }
}

function stop(child: ChildProcess): void {
  child.disconnect();
}
