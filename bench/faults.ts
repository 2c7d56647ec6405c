/** `npm run bench:faults`: what faults cost. Each measure has a fleet of its own, over real sockets, in this process. */
import { parseArgs } from 'node:util';
import { abortsAtOnce } from './faults/aborts.ts';
import { amplification } from './faults/amplification.ts';
import { killedBeforeFirstByte } from './faults/killed-node.ts';
import { goalTable, type Goal } from './goal.ts';

const HELP = `npm run bench:faults -- [options]

  --only NAMES   some of: killed, aborts, amplification
  --quick        a tenth of the requests
  --json         print the goals as JSON
`;

const MEASURES: Readonly<Record<string, (scale: number) => Promise<Goal>>> = { killed: killedBeforeFirstByte, aborts: abortsAtOnce, amplification };

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: { only: { type: 'string' }, quick: { type: 'boolean', default: false }, json: { type: 'boolean', default: false }, help: { type: 'boolean', short: 'h', default: false } },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const names = values.only?.split(',') ?? Object.keys(MEASURES);
  const goals: Goal[] = [];
  for (const name of names) {
    const measure = MEASURES[name];
    if (measure === undefined) {
      process.stderr.write(`there is no measure '${name}'.\n\n${HELP}`);
      return 2;
    }
    process.stderr.write(`${name} …\n`);
    goals.push(await measure(values.quick ? 0.1 : 1));
  }
  process.stdout.write(values.json ? `${JSON.stringify(goals)}\n` : `${goalTable(goals).join('\n')}\n`);
  return goals.every(({ isMet }) => isMet !== false) ? 0 : 1;
}

// Not by `process.exitCode`: after sockets were reset, Node 26 may spin for ever while it takes its handles down.
process.exit(await main());
