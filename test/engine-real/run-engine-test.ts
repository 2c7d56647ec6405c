/** `npm run test:engine`: a real engine on this machine's CPU, behind node daemons and a gateway, held to what Meridian needs of it. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { systemClock } from '../../src/core/index.ts';
import { jsonLog } from '../../src/telemetry/index.ts';
import { ENGINE_CHECKS } from './engine-checks.ts';
import { startRealFleet } from './real-fleet.ts';

const HELP = `npm run test:engine -- --engine vllm [options]

  --engine vllm   the engine; installed on first use, which takes some gigabytes and minutes
  --venv DIR      where it is, or is to be, installed (.meridian/engines/vllm)
  --log           tell what gateway and daemons log
`;

async function main(): Promise<number> {
  const { values } = parseArgs({ options: { engine: { type: 'string' }, venv: { type: 'string', default: '.meridian/engines/vllm' }, log: { type: 'boolean', default: false }, help: { type: 'boolean', default: false } } });
  if (values.help || values.engine !== 'vllm') {
    (values.help ? process.stdout : process.stderr).write(HELP);
    return values.help ? 0 : 2;
  }
  const venv = resolve(values.venv);
  run('test/engine-real/install-vllm.sh', venv);
  const model = mkdtempSync(join(tmpdir(), 'meridian-tiny-model-'));
  run(join(venv, 'bin', 'python'), 'test/engine-real/tiny_model.py', model);
  const log = jsonLog({ level: values.log ? 'info' : 'error', clock: systemClock, stream: process.stderr });
  const fleet = await startRealFleet(join(venv, 'bin', 'vllm'), model, log);
  let failed = 0;
  try {
    for (const check of ENGINE_CHECKS) {
      const seen = await check.run(fleet).then((text) => ({ mark: '✓', text }), (error: unknown) => ({ mark: '✗', text: error instanceof Error ? error.message : String(error) }));
      if (seen.mark === '✗') failed += 1;
      process.stdout.write(`${seen.mark} ${check.name}: ${seen.text}\n`);
    }
  } finally {
    await fleet.close();
    rmSync(model, { recursive: true });
  }
  process.stdout.write(`${ENGINE_CHECKS.length - failed} passed, ${failed} failed\n`);
  return failed === 0 ? 0 : 1;
}

function run(program: string, ...args: string[]): void {
  const { status, error } = spawnSync(program, args, { stdio: ['ignore', process.stderr, 'inherit'] });
  if (status !== 0) throw new Error(`${program} failed: ${error?.message ?? `exit code ${status}`}`);
}

process.exitCode = await main();
