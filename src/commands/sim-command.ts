import { gatewayDefaults } from '../config/index.ts';
import {
  compression,
  CONVERSATIONS,
  conversations,
  demandOf,
  fleetPlan,
  meridian,
  randomFaults,
  runFleet,
  summarize,
  type FleetPlan,
  type Workload,
} from '../sim/index.ts';
import { EXIT, UsageError, type Command, type CommandWords } from './command.ts';
import { fleetText } from './fleet-text.ts';

const MINUTE_MS = 60_000;
/** The pace is found by samples of five minutes, and of more for small fleets. */
const SAMPLE_REPLICA_MINUTES = 480;

/** Runs a simulated fleet in virtual time, with the code that serves. */
export const simCommand: Command = {
  name: 'sim',
  summary: 'run a simulated fleet in virtual time',
  usage: '[--replicas N] [--regions N] [--minutes N] [--load SHARE] [--stale MS] [--faults N] [--seed N] [--json]',
  options: {
    replicas: { type: 'string', value: 'N', help: 'Replicas in all.', default: '24' },
    regions: { type: 'string', value: 'N', help: 'Regions they stand in, with a gateway in each.', default: '3' },
    minutes: { type: 'string', value: 'N', help: 'Length of the workload.', default: '60' },
    load: { type: 'string', value: 'SHARE', help: 'Of what the fleet can do.', default: '0.8' },
    stale: { type: 'string', value: 'MS', help: 'How late load reports and cache events are.', default: '0' },
    faults: { type: 'string', value: 'N', help: 'Faults at random: lost regions and replicas, slow engines, frozen reports.', default: '0' },
    seed: { type: 'string', value: 'N', help: 'Of everything that chance decides.', default: '1' },
    json: { type: 'boolean', help: 'Print the summary as JSON.' },
  },
  async run(words) {
    const options = optionsOf(words);
    const plan = planOf(options);
    const workload = workloadOf(options, plan);
    const { admission, balancer, breaker, health, retries } = gatewayDefaults();
    const { records, violations, endedMs, events } = runFleet({
      plan,
      workload,
      mind: meridian({ router: balancer, hold: admission, health: { breaker, ...health }, attemptsMax: retries.attemptsMax }),
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

interface SimOptions {
  readonly replicas: number;
  readonly regions: number;
  readonly minutes: number;
  readonly load: number;
  readonly stale: number;
  readonly faults: number;
  readonly seed: number;
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

/** Conversations at the pace that loads the fleet as it shall be loaded; twice, since a pace changes what caches hold. */
function workloadOf({ minutes, load, seed, replicas }: SimOptions, plan: FleetPlan): Workload {
  const regions = plan.regions.map(({ name }) => name);
  let conversationsPerS = replicas / 10;
  const sampleMs = Math.max(5, SAMPLE_REPLICA_MINUTES / replicas) * MINUTE_MS;
  for (let round = 0; round < 2; round += 1) {
    const sample = conversations({ ...CONVERSATIONS, seed, regions, durationMs: sampleMs, conversationsPerS });
    conversationsPerS *= compression(demandOf(sample, replicas, plan.engine), replicas, load);
  }
  const whole = conversations({ ...CONVERSATIONS, seed, regions, durationMs: minutes * MINUTE_MS, conversationsPerS });
  if (whole.requests.length === 0) throw new UsageError('there is no request in so short a time: raise --minutes, --load or --replicas');
  return whole;
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
