import { MINUTE_MS } from '../core/index.ts';
import { gatewayDefaults } from '../config/index.ts';
import {
  compression,
  CONVERSATIONS,
  conversations,
  demandOf,
  fleetPlan,
  meridian,
  meridianOptions,
  randomFaults,
  runFleet,
  summarize,
  type FleetPlan,
  type Workload,
} from '../sim/index.ts';
import { EXIT, UsageError, type Command, type CommandWords } from './command.ts';
import { fleetText } from './fleet-text.ts';

/** The pace is found by samples of five minutes, and of more for small fleets. */
const SAMPLE_REPLICA_MINUTES = 480;

/** Runs a simulated fleet in virtual time, with the code that serves. */
export const simCommand: Command = {
  name: 'sim',
  summary: 'run a simulated fleet in virtual time',
  usage: '[--replicas N] [--regions N] [--minutes N] [--load SHARE] [--stale MS] [--faults N] [--seed N] [--seeds N] [--json]',
  options: {
    replicas: { type: 'string', value: 'N', help: 'Replicas in all.', default: '24' },
    regions: { type: 'string', value: 'N', help: 'Regions they stand in, with a gateway in each.', default: '3' },
    minutes: { type: 'string', value: 'N', help: 'Length of the workload.', default: '60' },
    load: { type: 'string', value: 'SHARE', help: 'Of what the fleet can do.', default: '0.8' },
    stale: { type: 'string', value: 'MS', help: 'How late load reports and cache events are.', default: '0' },
    faults: { type: 'string', value: 'N', help: 'Faults at random: lost regions and replicas, slow engines, frozen reports.', default: '0' },
    seed: { type: 'string', value: 'N', help: 'Of everything that chance decides.', default: '1' },
    seeds: { type: 'string', value: 'N', help: 'Runs one after another, each with the next seed; only what is wrong is told of each.', default: '1' },
    json: { type: 'boolean', help: 'Print the summary as JSON.' },
  },
  async run(words) {
    const options = optionsOf(words);
    const plan = planOf(options);
    const paceS = paceOf(options, plan);
    if (options.seeds > 1) return manySeeds(options, plan, paceS, words.flag('json'));
    const workload = workloadOf(options, plan, paceS);
    const { records, violations, endedMs, events } = runFleet({
      plan,
      workload,
      mind: meridian(meridianOptions(gatewayDefaults())),
      seed: options.seed,
      faults: randomFaults(options.faults, plan, options.minutes * MINUTE_MS, options.seed),
      onProgress: progress(),
    });
    if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
    const summary = summarize(records);
    const about = `${workload.about} on ${options.replicas} replicas in ${options.regions} regions; ${events} events`;
    process.stdout.write(words.flag('json') ? `${JSON.stringify({ about, endedMs, violations, summary })}\n` : fleetText(about, summary, records));
    if (violations.length === 0) return EXIT.ok;
    for (const violation of violations) process.stderr.write(`wrong: ${violation}\n`);
    process.stderr.write(`to see it again: npm run sim -- ${replay(options)}\n`);
    return EXIT.failed;
  },
};

/** Nothing but whether all is well, over many runs that chance makes different. */
function manySeeds(options: SimOptions, plan: FleetPlan, paceS: number, isJson: boolean): number {
  const tell = progress();
  const sums = { requests: 0, completed: 0, resumed: 0, retried: 0 };
  const failed: number[] = [];
  for (let i = 0; i < options.seeds; i += 1) {
    const one = { ...options, seed: options.seed + i };
    const { records, violations } = runFleet({
      plan,
      workload: workloadOf(one, plan, paceS),
      mind: meridian(meridianOptions(gatewayDefaults())),
      seed: one.seed,
      faults: randomFaults(one.faults, plan, one.minutes * MINUTE_MS, one.seed),
    });
    sums.requests += records.length;
    sums.completed += records.filter(({ end }) => end === 'completed').length;
    sums.resumed += records.filter(({ parts }) => parts > 1).length;
    sums.retried += records.filter(({ attempts, parts }) => attempts > parts).length;
    for (const violation of violations) process.stderr.write(`wrong: ${violation} (to see it again: npm run sim -- ${replay({ ...one, seeds: 1 })})\n`);
    if (violations.length > 0) failed.push(one.seed);
    tell((i + 1) / options.seeds);
  }
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  const text = `${options.seeds} seeds, ${sums.requests} requests: ${sums.completed} answered, ${sums.retried} tried again, ${sums.resumed} gone on with elsewhere; ${failed.length} seeds with something wrong`;
  process.stdout.write(isJson ? `${JSON.stringify({ seeds: options.seeds, ...sums, failed })}\n` : `${text}\n`);
  return failed.length === 0 ? EXIT.ok : EXIT.failed;
}

interface SimOptions {
  readonly replicas: number;
  readonly regions: number;
  readonly minutes: number;
  readonly load: number;
  readonly stale: number;
  readonly faults: number;
  readonly seed: number;
  readonly seeds: number;
}

function optionsOf(words: CommandWords): SimOptions {
  return {
    replicas: whole(words, 'replicas', 1, 10_000),
    regions: whole(words, 'regions', 1, 8),
    minutes: ranged(words, 'minutes', 0.1, 100_000),
    load: ranged(words, 'load', 0.01, 10),
    stale: whole(words, 'stale', 0, 600_000),
    faults: whole(words, 'faults', 0, 10_000),
    seed: whole(words, 'seed', 0, 0xffff_ffff),
    seeds: whole(words, 'seeds', 1, 1_000_000),
  };
}

function whole(words: CommandWords, name: string, minimum: number, maximum: number): number {
  const value = ranged(words, name, minimum, maximum);
  if (Number.isInteger(value)) return value;
  throw new UsageError(`--${name} takes a whole number, not '${words.text(name)}'`);
}

function ranged(words: CommandWords, name: string, minimum: number, maximum: number): number {
  const text = words.text(name) ?? '';
  const value = Number(text);
  if (text.trim() !== '' && value >= minimum && value <= maximum) return value;
  throw new UsageError(`--${name} takes a number from ${minimum} to ${maximum}, not '${text}'`);
}

function planOf({ replicas, regions, stale }: SimOptions): FleetPlan {
  try {
    return fleetPlan(replicas, regions, { telemetryDelayMs: stale });
  } catch (error) {
    throw error instanceof RangeError ? new UsageError(error.message) : error;
  }
}

/** Conversations per second that load the fleet as it shall be loaded; found twice, since a pace changes what caches hold. */
function paceOf({ load, seed, replicas }: SimOptions, plan: FleetPlan): number {
  const regions = plan.regions.map(({ name }) => name);
  let conversationsPerS = replicas / 10;
  const sampleMs = Math.max(5, SAMPLE_REPLICA_MINUTES / replicas) * MINUTE_MS;
  for (let round = 0; round < 2; round += 1) {
    const sample = conversations({ ...CONVERSATIONS, seed, regions, durationMs: sampleMs, conversationsPerS });
    conversationsPerS *= compression(demandOf(sample, replicas, plan.engine), replicas, load);
  }
  return conversationsPerS;
}

function workloadOf({ minutes, seed }: SimOptions, plan: FleetPlan, conversationsPerS: number): Workload {
  const regions = plan.regions.map(({ name }) => name);
  const workload = conversations({ ...CONVERSATIONS, seed, regions, durationMs: minutes * MINUTE_MS, conversationsPerS });
  if (workload.requests.length === 0) throw new UsageError('there is no request in so short a time: raise --minutes, --load or --replicas');
  return workload;
}

/** On a terminal one line that changes, else a line for each tenth. */
function progress(): (share: number) => void {
  let told = -1;
  return (share) => {
    const tenth = Math.floor(share * 10);
    if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${Math.round(share * 100)} %`);
    else if (tenth > told) process.stderr.write(`${tenth * 10} %\n`);
    told = Math.max(told, tenth);
  };
}

function replay(options: SimOptions): string {
  return Object.entries(options)
    .map(([name, value]) => `--${name} ${value}`)
    .join(' ');
}
