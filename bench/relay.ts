/** `npm run bench:relay`: what it costs to stand between client and engines, Meridian and its peers side by side. */
import { appendFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { plan, type Plan } from './relay/cases.ts';
import { reportChart } from './relay/chart.ts';
import { errorSamples, figuresOf } from './relay/figures.ts';
import { Surroundings, measureRow, type Measurement } from './relay/measure-row.ts';
import { meridianLinks, meridianPools } from './relay/meridian.ts';
import { reportText } from './relay/report-text.ts';
import { thisMachine, type Report, type ReportRow } from './relay/report.ts';
import type { Row } from './relay/row.ts';
import { direct } from './relay/rows/direct.ts';
import { haproxy } from './relay/rows/haproxy.ts';
import { nginx } from './relay/rows/nginx.ts';
import { httpRelay, tcpRelay } from './relay/rows/node-relays.ts';
import { installPortkey, portkey } from './relay/rows/portkey.ts';

const ROWS: readonly Row[] = [direct, haproxy, nginx, tcpRelay, httpRelay, portkey, meridianLinks, meridianPools];
const ENGINES = 8;
const CHART_PATH = fileURLToPath(new URL('./results/relay.svg', import.meta.url));
const RESULTS_PATH = fileURLToPath(new URL('./RESULTS.md', import.meta.url));

const HELP = `npm run bench:relay -- [options]

  --json             print the report as JSON instead of a table
  --quick            one short round, for a look while working
  --rounds N         rounds, of which the medians are taken (3; with --quick 1)
  --only NAME,…      these rows and the direct one: ${ROWS.map((row) => row.name).join(', ')}
  --write            append the report to bench/RESULTS.md and draw bench/results/relay.svg
  --install-peers    first install what comes from npm into bench/.peers
                     (HAProxy and nginx: apt-get install haproxy nginx)

Exits 1 when a row gave a wrong answer or could not be measured, 2 when an option is wrong.
`;

interface Options {
  readonly json: boolean;
  readonly write: boolean;
  readonly installPeers: boolean;
  readonly plan: Plan;
  readonly rows: readonly Row[];
}

/** How a row went over the rounds. */
interface Course {
  readonly row: Row;
  readonly rounds: Measurement[];
  /** It could not even be started here; no fault of its own. */
  readonly isMissing: boolean;
  /** Why it was not measured to the end. */
  failure: string | undefined;
}

function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      json: { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
      rounds: { type: 'string' },
      only: { type: 'string' },
      write: { type: 'boolean', default: false },
      'install-peers': { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    process.exit(0);
  }
  const rounds = Number(values.rounds ?? (values.quick ? 1 : 3));
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error('--rounds takes a whole number from 1.');
  return {
    json: values.json,
    write: values.write,
    installPeers: values['install-peers'],
    plan: plan(rounds, values.quick),
    rows: chosenRows(values.only),
  };
}

function chosenRows(only: string | undefined): readonly Row[] {
  if (only === undefined) return ROWS;
  const names = only.split(',');
  const unknown = names.find((name) => !ROWS.some((row) => row.name === name));
  if (unknown !== undefined) throw new Error(`--only: there is no row ${unknown}.`);
  return ROWS.filter((row) => row === direct || names.includes(row.name));
}

/** Every row in turn, and that as often as there are rounds, so that what drifts on the machine meets all alike. */
async function measureAll(options: Options): Promise<Course[]> {
  const courses = options.rows.map((row): Course => {
    const missing = row.missing();
    return { row, rounds: [], isMissing: missing !== undefined, failure: missing };
  });
  for (const { row, failure } of courses) if (failure !== undefined) tell(`MISSING ${row.title}: ${failure}\n`);
  const workDir = mkdtempSync(join(tmpdir(), 'bench-relay-'));
  const surroundings = await Surroundings.start(ENGINES, workDir);
  tell('warming the engines and the load generator\n');
  await surroundings.warm(options.plan);
  for (let round = 1; round <= options.plan.rounds; round += 1) {
    for (const course of courses.filter(({ failure }) => failure === undefined)) {
      tell(`round ${round}/${options.plan.rounds}  ${course.row.title}:`);
      try {
        course.rounds.push(await measureRow(course.row, surroundings, options.plan, (part) => tell(` ${part}`)));
      } catch (error) {
        course.failure = error instanceof Error ? error.message : String(error);
        tell(`\nFAILED ${course.row.title}: ${course.failure}`);
      }
      tell('\n');
    }
  }
  await surroundings.stop();
  rmSync(workDir, { recursive: true, force: true });
  return courses;
}

function reportOf(courses: readonly Course[], options: Options): Report {
  const directRounds = courses.find(({ row }) => row === direct)?.rounds ?? [];
  const rows = courses.map(({ row: { name, title }, rounds, isMissing, failure }): ReportRow => {
    if (failure !== undefined) return { name, title, [isMissing ? 'missing' : 'failed']: failure.split('. Its log', 1)[0] };
    return { name, title, figures: figuresOf(rounds, directRounds), errorSamples: errorSamples(rounds) };
  });
  const args = process.argv.slice(2).join(' ');
  return {
    date: new Date().toISOString().slice(0, 10),
    command: `npm run bench:relay${args === '' ? '' : ` -- ${args}`}`,
    machine: thisMachine(),
    rounds: options.plan.rounds,
    rows,
  };
}

function writeResults(report: Report): void {
  mkdirSync(join(CHART_PATH, '..'), { recursive: true });
  writeFileSync(CHART_PATH, reportChart(report));
  if (!existsSync(RESULTS_PATH)) writeFileSync(RESULTS_PATH, '# Results\n');
  appendFileSync(RESULTS_PATH, `\n${reportText(report)}\n![CPU of the relay](results/relay.svg)\n`);
  tell(`Written to ${RESULTS_PATH} and ${CHART_PATH}.\n`);
}

/** Progress goes to stderr, so that stdout is the report alone. */
function tell(text: string): void {
  process.stderr.write(text);
}

/** Resolves with the exit code. */
async function main(options: Options): Promise<number> {
  if (options.installPeers) installPortkey();
  const courses = await measureAll(options);
  const report = reportOf(courses, options);
  process.stdout.write(options.json ? `${JSON.stringify(report, null, 2)}\n` : reportText(report));
  if (options.write) writeResults(report);
  const isBroken = courses.some(({ isMissing, failure }) => failure !== undefined && !isMissing);
  const isWrong = report.rows.some(({ figures }) => figures !== undefined && figures.errors > 0);
  return isBroken || isWrong ? 1 : 0;
}

/** The options, or undefined when one was wrong and that has been said. */
function optionsOrUndefined(): Options | undefined {
  try {
    return readOptions();
  } catch (error) {
    tell(`${error instanceof Error ? error.message : String(error)}\n\n${HELP}`);
    return undefined;
  }
}

process.on('SIGINT', () => process.exit(130));
process.on('SIGTERM', () => process.exit(143));
const options = optionsOrUndefined();
process.exitCode = options === undefined ? 2 : await main(options);
