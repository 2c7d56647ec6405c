/** `npm run bench:routing`: the same arrivals against every routing policy, in virtual time. */
import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { thisMachine } from './relay/report.ts';
import { benchPlan, benchWorkload, type Cell } from './routing/cell.ts';
import { routingCharts } from './routing/charts.ts';
import { HELP, readOptions, type BenchOptions } from './routing/options.ts';
import { policiesText, routingText } from './routing/routing-text.ts';
import { runCells } from './routing/run-cells.ts';
import { SCENARIOS } from './routing/scenarios.ts';
import { TraceError } from './routing/trace-error.ts';
import { demandOf } from '../src/sim/index.ts';

const RESULTS = fileURLToPath(new URL('./results/', import.meta.url));
const RESULTS_FILE = fileURLToPath(new URL('./RESULTS.md', import.meta.url));

async function main(args: readonly string[]): Promise<number> {
  const options = readOptions(args);
  if (options.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const about = aboutText(options);
  const cells = options.staleMs.flatMap((staleMs) => options.loads.flatMap((load) => options.policies.map((policy): Cell => ({ policy, load, staleMs }))));
  const results = await runCells(options, cells, (done) => progress(`${done} of ${cells.length} runs`));
  const scenarios = options.scenarios.map((name) => {
    progress(`scenario ${name}`);
    return SCENARIOS[name](options);
  });
  progress('');
  const text = routingText(results, scenarios);
  process.stdout.write(options.json ? `${JSON.stringify({ about, results, scenarios }, null, 2)}\n` : `${about}\n\n${policiesText()}\n\n${text}`);
  if (options.write) {
    mkdirSync(RESULTS, { recursive: true });
    for (const [name, chart] of Object.entries(routingCharts(results))) writeFileSync(`${RESULTS}routing-${name}.svg`, chart);
    appendFileSync(RESULTS_FILE, `\n## ${new Date().toISOString().slice(0, 10)}: routing\n\n${machineText(args)} ${about}\n\n${text}`);
  }
  const violations = [...results, ...scenarios].flatMap((result) => result.violations);
  for (const violation of violations.slice(0, 20)) process.stderr.write(`wrong: ${violation}\n`);
  return violations.length === 0 ? 0 : 1;
}

function aboutText(options: BenchOptions): string {
  const workload = benchWorkload(options);
  const { workMs, cachedShare, requestsPerS } = demandOf(workload, options.replicas, benchPlan(options, 0).engine);
  return (
    `${workload.about}: ${workload.requests.length} requests, seed ${options.seed}; ${options.replicas} replicas in ${options.regions} regions, ${options.gateways} gateways. ` +
    `Load 1 is ${((options.replicas * 1_000) / workMs).toFixed(2)} requests/s (the trace as it is: ${requestsPerS.toFixed(2)}), ` +
    `if one cache as large as all together found ${(cachedShare * 100).toFixed(1)} % of the prompts.`
  );
}

function machineText(args: readonly string[]): string {
  const { cores, cpuModel, memoryGiB, node } = thisMachine();
  const shown = args.map((arg) => (arg.includes('/') ? `FILE/${arg.slice(arg.lastIndexOf('/') + 1)}` : arg)).join(' ');
  return `\`npm run bench:routing -- ${shown}\` on ${cores} cores (${cpuModel}), ${memoryGiB} GiB, Node ${node}; virtual time, so the machine does not matter.`;
}

function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
  else if (text !== '') process.stderr.write(`${text}\n`);
}

process.exitCode = await main(process.argv.slice(2)).catch((thrown: unknown) => {
  if (!(thrown instanceof TraceError || thrown instanceof RangeError || (thrown instanceof TypeError && 'code' in thrown))) throw thrown;
  process.stderr.write(`bench:routing: ${thrown.message}\n`);
  return 2;
});
