import { mkdirSync } from 'node:fs';
import { startGateway } from '../app.ts';
import { loadGatewayConfig, type GatewayConfig } from '../config/index.ts';
import { systemClock, systemRng, wait } from '../core/index.ts';
import { LeveledLog, reloadOnHangUp } from './reloading.ts';
import { untilStopped } from './until-stopped.ts';
import { workerConfig } from './worker-config.ts';
import type { WorkerReport } from './worker-process.ts';

/** Idle connections of clients, and what is closed at the end. */
const STOP_MS = 20_000;
const READY_STEP_MS = 100;
/** After so long it listens all the same: there may be no node yet. */
const UNREADY_MS = 10_000;

/** The program of one worker: a gateway, which tells the process that started it how it fares. */
async function main(path: string, slot: number): Promise<number> {
  const report = (what: WorkerReport): void => void process.send?.(what);
  // The parent is gone without having said so: streams still get their time.
  process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'));
  const whole = loadGatewayConfig(path, process.env);
  mkdirSync(whole.dataDir, { recursive: true, mode: 0o700 });
  const config = workerConfig(whole, slot);
  const leveled = new LeveledLog(config.telemetry.logLevel);
  const { log } = leveled;
  const readConfig = (): GatewayConfig => {
    const next = workerConfig(loadGatewayConfig(path, process.env), slot);
    leveled.follow(next);
    return next;
  };
  try {
    const gateway = await startGateway(config, { clock: systemClock, rng: systemRng(), log, readConfig });
    const { publicUrl, adminUrl, fleetUrl } = gateway;
    reloadOnHangUp(gateway, readConfig, log);
    const ready = saysReady(adminUrl);
    // At a port that others listen at too, one that cannot serve yet would only turn clients away.
    await Promise.race([ready, wait(systemClock, UNREADY_MS)]);
    await gateway.listen();
    report({ kind: 'up', publicUrl, adminUrl, fleetUrl });
    void ready.then(() => report({ kind: 'ready' }));
    const graceMs = 2 * config.drain.readinessMs + config.drain.streamsMs + STOP_MS;
    return await untilStopped(graceMs, log, () => gateway.drain());
  } catch (error) {
    report({ kind: 'failed', message: error instanceof Error ? error.message : String(error) });
    return 1;
  }
}

/** Resolves once the gateway says that it can serve. */
async function saysReady(adminUrl: string): Promise<void> {
  for (;;) {
    const answer = await fetch(`${adminUrl}/readyz`).catch(() => null);
    if (answer?.ok === true) return;
    await wait(systemClock, READY_STEP_MS);
  }
}

const [path = '', slot = ''] = process.argv.slice(2);
process.exitCode = await main(path, Number(slot));
// What is still open (a connection to a database that hangs) must not keep a worker that is done.
process.exit();
