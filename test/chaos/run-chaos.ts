/** `npm run chaos`: a live fleet under steady load while its engines, nodes, links and regions are hurt at random. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { goalTable } from '../../bench/goal.ts';
import { seededRng, systemClock, wait } from '../../src/core/index.ts';
import { startGatewayProcess, writeGatewayConfig, type GatewayProcess } from '../support/gateway-process.ts';
import { freePort } from '../support/meridian-process.ts';
import { until } from '../support/until.ts';
import { allRecords, type ShownRecord } from '../support/usage-truth.ts';
import { ChaosLoad } from './live/chaos-load.ts';
import { ChaosNode } from './live/chaos-node.ts';
import { chaosPlan, type PlannedFault } from './live/chaos-plan.ts';
import { chaosVerdict, type ChaosRecord, type ChaosRun } from './live/chaos-verdict.ts';
import { timelineSvg } from './live/timeline-svg.ts';

const HELP = `npm run chaos -- [options]

  --minutes N    how long things go wrong (3)
  --seed N       of everything that chance decides (1)
  --clients N    clients that ask at once (24)
  --svg FILE     where the timeline is drawn (.meridian/chaos.svg)
  --json         print figures as JSON
`;
const REGIONS = ['gcp-us-east4', 'aws-us-west-2', 'oci-uk-london'];
const NODES_PER_REGION = 2;
/** Everything runs on one machine: that it is busy is no fault of this run. */
const CALM = 'overload: { critical: { delay_ms: 60000 }, standard: { delay_ms: 60000 }, batch: { delay_ms: 60000 } }';
const LOOK_MS = 10;
/** Requests without an answer that are told of. */
const TOLD_MAX = 10;

interface Made {
  readonly record: ReturnType<ChaosNode['endedSince']>[number];
  readonly endedMs: number;
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '3' },
      seed: { type: 'string', default: '1' },
      clients: { type: 'string', default: '24' },
      svg: { type: 'string', default: '.meridian/chaos.svg' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const [minutes, seed, clients] = [values.minutes, values.seed, values.clients].map(Number);
  if (!(Number(minutes) > 0) || !Number.isInteger(seed) || !(Number(clients) >= 1)) {
    process.stderr.write(`--minutes, --seed and --clients take numbers.\n\n${HELP}`);
    return 2;
  }
  const durationMs = Number(minutes) * 60_000;
  const run = await chaos(durationMs, Number(seed), Number(clients));
  mkdirSync(dirname(values.svg), { recursive: true });
  writeFileSync(values.svg, timelineSvg(run, durationMs));
  const { goals, wrongs } = chaosVerdict(run);
  const counts = Object.fromEntries(Object.entries(Object.groupBy(run.asked, ({ end }) => end)).map(([end, asked]) => [end, asked.length]));
  if (values.json) process.stdout.write(`${JSON.stringify({ seed, minutes, counts, faults: run.faults, goals, wrongs })}\n`);
  else process.stdout.write(`${summary(run, counts)}\n\n${goalTable(goals).join('\n')}\n\ntimeline: ${values.svg}\n`);
  for (const wrong of wrongs) process.stderr.write(`wrong: ${wrong}\n`);
  if (wrongs.length > 0) process.stderr.write(`to see it again: npm run chaos -- --minutes ${minutes} --seed ${seed} --clients ${clients}\n`);
  return wrongs.length === 0 ? 0 : 1;
}

async function chaos(durationMs: number, seed: number, clients: number): Promise<ChaosRun> {
  const directory = mkdtempSync(join(tmpdir(), 'meridian-chaos-'));
  const gateway = await startGatewayProcess(writeGatewayConfig(directory, await freePort(), CALM, 60_000));
  const places = REGIONS.flatMap((region) => Array.from({ length: NODES_PER_REGION }, (_, i) => ({ id: `${region}-${i + 1}`, region })));
  const nodes = await Promise.all(places.map(({ id, region }, i) => ChaosNode.start(id, region, gateway.fleetUrl, seed * 100 + i)));
  try {
    await until(async () => (await readyNodes(gateway)) === nodes.length, 'the fleet is ready');
    const { json } = await gateway.admin('POST', '/admin/v1/keys', { name: 'chaos' });
    const startMs = systemClock.now();
    const startWallMs = systemClock.wallMs();
    const load = new ChaosLoad(`${gateway.publicUrl}`, String(json['secret'] ?? json['key']), startMs);
    const made = new Map<string, Made>();
    const stopLooking = systemClock.every(LOOK_MS, () => {
      for (const node of nodes) for (const record of node.endedSince()) made.set(record.rid, { record, endedMs: systemClock.now() - startMs });
    });
    const faults = chaosPlan(durationMs, nodes.length, REGIONS.length, seededRng(seed));
    const working = load.run(clients, seed);
    await hurt(nodes, faults, startMs, durationMs);
    load.stop();
    await working;
    const before = load.asked.length;
    await until(async () => (await allRecords(gateway)).length >= load.asked.filter(({ id }) => id !== '').length, 'every request has its record');
    const records = (await allRecords(gateway)).map((record) => admitted(record, startWallMs));
    const drain = await drained(gateway, load, seed);
    stopLooking();
    return { faults, nodes: places, asked: load.asked.slice(0, before), records, made, drain };
  } finally {
    await gateway.process.end('SIGKILL');
    await Promise.all(nodes.map((node) => node.close()));
    rmSync(directory, { recursive: true, force: true });
  }
}

function admitted(record: ShownRecord, startWallMs: number): ChaosRecord {
  return { ...record, admittedMs: Number(Reflect.get(record, 'admitted_at')) * 1_000 - startWallMs };
}

async function readyNodes({ admin }: GatewayProcess): Promise<number> {
  const { json } = await admin('GET', '/admin/v1/fleet');
  return (json['data'] as { state: string }[]).filter(({ state }) => state === 'ready').length;
}

/** Plays the faults at their times, and tells how far it is. */
async function hurt(nodes: readonly ChaosNode[], faults: readonly PlannedFault[], startMs: number, durationMs: number): Promise<void> {
  const at = async (ms: number, act: () => Promise<unknown>): Promise<void> => {
    await wait(systemClock, Math.max(0, startMs + ms - systemClock.now()));
    await act();
  };
  const hit = ({ kind, place }: PlannedFault): readonly ChaosNode[] =>
    kind === 'lose-region' ? nodes.filter(({ region }) => region === REGIONS[place]) : nodes.filter((_, i) => i === place);
  const tell = systemClock.every(10_000, () => process.stderr.write(`${Math.round((systemClock.now() - startMs) / 1_000)} s of ${durationMs / 1_000} s\n`));
  await Promise.all([
    at(durationMs, () => Promise.resolve()),
    ...faults.flatMap((fault) => [
      at(fault.fromMs, () => Promise.all(hit(fault).map((node) => node.hurt(fault.kind)))),
      at(fault.toMs, () => Promise.all(hit(fault).map((node) => node.mend(fault.kind)))),
    ]),
  ]);
  tell();
}

/** SIGTERM while streams are under way: each must end whole. */
async function drained(gateway: GatewayProcess, load: ChaosLoad, seed: number): Promise<ChaosRun['drain']> {
  const from = load.asked.length;
  const streams = load.again(12, seed + 1);
  await wait(systemClock, 1_000);
  const ended = gateway.process.end('SIGTERM');
  await streams;
  await ended;
  const asked = load.asked.slice(from).filter(({ id, end }) => id !== '' && end !== 'left');
  return { streams: asked.length, truncated: asked.filter(({ end }) => end !== 'whole').length };
}

function summary(run: ChaosRun, counts: Readonly<Record<string, number>>): string {
  const errors = run.asked.flatMap(({ error }) => (error === null ? [] : [error]));
  const kinds = Object.entries(Object.groupBy(errors, (error) => error)).map(([error, all]) => `${all?.length ?? 0} × ${error}`);
  const attempts = run.records.reduce((sum, record) => sum + record.attempts.length, 0);
  const resumed = run.records.filter((record) => record.attempts.some(({ resumed_tokens: tokens }) => tokens > 0)).length;
  const byId = new Map(run.records.map((record) => [record.id, record]));
  const unanswered = run.asked.filter(({ end }) => end === 'error').slice(0, TOLD_MAX);
  return [
    `${run.asked.length} requests: ${Object.entries(counts).map(([end, count]) => `${count} ${end}`).join(', ')}; ${attempts} attempts, ${resumed} answers went on elsewhere`,
    `${run.faults.length} faults: ${run.faults.map(({ kind, place, fromMs }) => `${kind} of ${place} at ${(fromMs / 1_000).toFixed(0)} s`).join(', ')}`,
    ...(kinds.length === 0 ? [] : [`errors: ${kinds.join(', ')}`]),
    ...unanswered.map(({ id, startedMs, error }) => `  at ${(startedMs / 1_000).toFixed(0)} s ${id} ${error}: ${(byId.get(id)?.attempts ?? []).map(attemptText).join('; ')}`),
  ].join('\n');
}

function attemptText({ replica, outcome, error_code: code, ttft_ms: ttftMs, resumed_tokens: resumed, started_ms: startedMs }: ShownRecord['attempts'][number]): string {
  return `${replica} from ${Math.round(startedMs)} ms${resumed > 0 ? `, after ${resumed} tokens` : ''}: ${code ?? outcome}${ttftMs === null ? ' without a token' : ''}`;
}

// Not by `process.exitCode`: after sockets were reset, Node 26 may spin for ever while it takes its handles down.
process.exit(await main());
