import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { IdlePlan, Plan } from './cases.ts';
import { Child, nodeChild, stopChildrenIn } from './child.ts';
import type { Job, LoadOrder, LoadReply, LoadResult, Watched } from './load-job.ts';
import { residentBytes } from './process-usage.ts';
import type { Row, RunningRow, World } from './row.ts';

/** All that one round found out about one row. */
export interface Measurement {
  readonly json: LoadResult;
  readonly fast: LoadResult;
  readonly paced: LoadResult;
  readonly latency: LoadResult;
  readonly idle: IdleResult;
}

/** What one more idle stream costs. */
export interface IdleResult {
  readonly residentBytesPerStream: number;
  /** Where the proxy can tell. */
  readonly heapBytesPerStream?: number;
}

/** The processes on both sides of a proxy; they serve for all rows and rounds. */
export class Surroundings {
  readonly #engine: Child;
  readonly #load: Child;
  readonly enginePorts: readonly number[];

  private constructor(engine: Child, load: Child, enginePorts: readonly number[]) {
    this.#engine = engine;
    this.#load = load;
    this.enginePorts = enginePorts;
  }

  static async start(engineCount: number, workDir: string): Promise<Surroundings> {
    const engine = nodeChild({ name: 'engine', args: [script('mock-engine.ts'), String(engineCount)], workDir, hasProbe: false });
    const load = new Child({ name: 'load', command: process.execPath, args: [script('load.ts')], workDir, hasChannel: true });
    return new Surroundings(engine, load, JSON.parse(await engine.firstLine()) as number[]);
  }

  /** Has engines and load generator compiled before the first row, which would else look slower than the rest. */
  async warm(plan: Plan): Promise<void> {
    const targets = this.enginePorts.map((port) => ({ port, headers: {} }));
    const unproxied: RunningRow = { targets, proxyPids: [], nodePids: [] };
    await this.run(plan.warmUp, unproxied);
    await this.run(plan.fast, unproxied);
    await this.run(plan.paced, unproxied);
  }

  async run(job: Job, row: RunningRow): Promise<LoadResult> {
    const watched: Watched = { proxy: row.proxyPids, nodes: row.nodePids, engine: [this.#engine.pid] };
    const reply = await this.#ask({ kind: 'run', job, targets: row.targets, enginePort: this.#enginePort, watched });
    if (reply.kind !== 'result') throw new Error(`The load process answered ${reply.kind}.`);
    return reply.result;
  }

  async hold(streams: number, row: RunningRow): Promise<void> {
    await this.#ask({ kind: 'hold', streams, targets: row.targets, enginePort: this.#enginePort });
  }

  async release(): Promise<void> {
    await this.#ask({ kind: 'release' });
  }

  async stop(): Promise<void> {
    await Promise.all([this.#engine.stop(), this.#load.stop()]);
  }

  get #enginePort(): number {
    return this.enginePorts[0] ?? 0;
  }

  async #ask(order: LoadOrder): Promise<LoadReply> {
    const reply = await this.#load.ask<LoadReply>(order);
    if (reply.kind === 'failed') throw new Error(reply.message);
    return reply;
  }
}

/** Starts the row, measures it, stops it; memory is measured on a second start, whose heap nothing has used before. */
export async function measureRow(row: Row, surroundings: Surroundings, plan: Plan, tell: (part: string) => void): Promise<Measurement> {
  const run = (running: RunningRow, part: keyof Plan & string, job: Job): Promise<LoadResult> => {
    tell(part);
    return surroundings.run(job, running);
  };
  const loaded = await withRow(row, surroundings, false, async (running) => {
    await run(running, 'warmUp', plan.warmUp);
    const json = await run(running, 'json', plan.json);
    const fast = await run(running, 'fast', plan.fast);
    const paced = await run(running, 'paced', plan.paced);
    const latency = await run(running, 'latency', plan.latency);
    return { json, fast, paced, latency };
  });
  tell('idle');
  const idle = await withRow(row, surroundings, true, (running) => measureIdle(running, surroundings, plan.idle));
  return { ...loaded, idle };
}

async function measureIdle(row: RunningRow, surroundings: Surroundings, plan: IdlePlan): Promise<IdleResult> {
  const look = async (): Promise<{ heap: number | undefined; resident: number }> => {
    await sleep(plan.settleMs);
    const heap = await row.heapBytes?.();
    return { heap, resident: residentBytes(row.proxyPids) };
  };
  await surroundings.hold(plan.baseStreams, row);
  const before = await look();
  await surroundings.hold(plan.baseStreams + plan.addedStreams, row);
  const after = await look();
  await surroundings.release();
  const residentBytesPerStream = (after.resident - before.resident) / plan.addedStreams;
  if (after.heap === undefined || before.heap === undefined) return { residentBytesPerStream };
  return { residentBytesPerStream, heapBytesPerStream: (after.heap - before.heap) / plan.addedStreams };
}

async function withRow<Result>(
  row: Row,
  surroundings: Surroundings,
  hasProbe: boolean,
  use: (running: RunningRow) => Promise<Result>,
): Promise<Result> {
  const workDir = mkdtempSync(join(tmpdir(), `bench-relay-${row.name}-`));
  const world: World = { enginePorts: surroundings.enginePorts, workDir, hasProbe };
  try {
    return await use(await row.start(world));
  } finally {
    await stopChildrenIn(workDir);
    rmSync(workDir, { recursive: true, force: true });
  }
}

function script(name: string): string {
  return fileURLToPath(new URL(name, import.meta.url));
}
