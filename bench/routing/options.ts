import { parseArgs } from 'node:util';
import { fleetPlan } from '../../src/sim/index.ts';
import type { BenchSetting } from './cell.ts';
import { POLICIES } from './policies/index.ts';
import { SCENARIOS, type ScenarioName } from './scenarios.ts';

export const HELP = `npm run bench:routing -- [options]

  --trace FILE       Mooncake's JSON lines or Azure's CSV; without it a made-up multi-turn workload
  --replicas N       replicas in all (9)
  --regions N        regions they stand in (3)
  --gateways N       gateways, one a region (as many as regions)
  --load A,B,…       shares of what the fleet can do (0.5,0.8,1.0,1.2)
  --stale A,B,…      milliseconds by which load reports and cache events are late (0,1000,5000)
  --policies A,B,…   of ${POLICIES.map(({ name }) => name).join(', ')}
  --scenarios A,…    of ${Object.keys(SCENARIOS).join(', ')}, or none (all)
  --seed N           of arrivals and chance (1)
  --json             print results as JSON instead of tables
  --write            append to bench/RESULTS.md and draw bench/results/routing-*.svg

Exits 1 when a checker found something wrong, 2 when an option or the trace is.
`;

export interface BenchOptions extends BenchSetting {
  readonly loads: readonly number[];
  readonly staleMs: readonly number[];
  readonly policies: readonly string[];
  readonly scenarios: readonly ScenarioName[];
  readonly json: boolean;
  readonly write: boolean;
  readonly help: boolean;
}

/** Throws Error or RangeError that names the option at fault. */
export function readOptions(args: readonly string[]): BenchOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      trace: { type: 'string' },
      replicas: { type: 'string', default: '9' },
      regions: { type: 'string', default: '3' },
      gateways: { type: 'string' },
      load: { type: 'string', default: '0.5,0.8,1.0,1.2' },
      stale: { type: 'string', default: '0,1000,5000' },
      policies: { type: 'string' },
      scenarios: { type: 'string' },
      seed: { type: 'string', default: '1' },
      json: { type: 'boolean', default: false },
      write: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  const replicas = whole('replicas', values.replicas, 1);
  const regions = whole('regions', values.regions, 1);
  const gateways = whole('gateways', values.gateways ?? values.regions, 1);
  if (gateways > regions) throw new RangeError(`--gateways: there is at most one a region, so ${gateways} cannot stand in ${regions}`);
  fleetPlan(replicas, regions);
  return {
    trace: values.trace ?? null,
    replicas,
    regions,
    gateways,
    seed: whole('seed', values.seed, 0),
    loads: numbers('load', values.load, (load) => load > 0 && load <= 10, 'a share above 0 and at most 10'),
    staleMs: numbers('stale', values.stale, (ms) => ms >= 0 && ms <= 600_000, 'milliseconds from 0 to 600000'),
    policies: names('policies', values.policies, POLICIES.map(({ name }) => name)),
    scenarios: names('scenarios', values.scenarios, Object.keys(SCENARIOS)) as ScenarioName[],
    json: values.json,
    write: values.write,
    help: values.help,
  };
}

function whole(option: string, text: string, minimum: number): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isInteger(value) || value < minimum) throw new RangeError(`--${option} takes a whole number from ${minimum}, not '${text}'`);
  return value;
}

function numbers(option: string, text: string, isRight: (value: number) => boolean, what: string): number[] {
  return text.split(',').map((part) => {
    const value = Number(part);
    if (part.trim() === '' || !isRight(value)) throw new RangeError(`--${option} takes ${what}, with commas between; not '${part}'`);
    return value;
  });
}

/** All of them without the option, none for `none`. */
function names(option: string, text: string | undefined, known: readonly string[]): string[] {
  if (text === undefined) return [...known];
  if (text === 'none') return [];
  return text.split(',').map((name) => {
    if (!known.includes(name)) throw new RangeError(`--${option}: there is no '${name}'; there are ${known.join(', ')}`);
    return name;
  });
}
