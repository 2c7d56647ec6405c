/** `npm run audit:billing`: a mixed workload against a live fleet, and every count of it against the others. */
import { parseArgs } from 'node:util';
import { seededRng } from '../../src/core/index.ts';
import { impatient } from '../support/mixed-load.ts';
import { startTestFleet } from '../support/test-fleet.ts';
import { auditBilling, type BillingAudit } from './billing-audit.ts';

const HELP = `npm run audit:billing -- [options]

  --requests N   how many (100000)
  --seed N       of everything that chance decides (1)
  --json         print figures as JSON
`;
const TOLD_MAX = 20;

async function main(): Promise<number> {
  const { values } = parseArgs({ options: { requests: { type: 'string', default: '100000' }, seed: { type: 'string', default: '1' }, json: { type: 'boolean', default: false }, help: { type: 'boolean', default: false } } });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const [requests, seed] = [Number(values.requests), Number(values.seed)];
  if (!Number.isInteger(requests) || requests < 1 || !Number.isInteger(seed)) {
    process.stderr.write(HELP);
    return 2;
  }
  const fleet = await startTestFleet({ regions: { 'gcp-us-east4': 2, 'aws-us-west-2': 1 }, agentless: 2, config: impatient });
  try {
    const audit = await auditBilling(fleet, requests, seededRng(seed), (done) => process.stderr.write(`\r${done} of ${requests} requests`));
    process.stderr.write('\n');
    process.stdout.write(values.json ? `${JSON.stringify({ seed, ...audit }, null, 2)}\n` : textOf(audit, seed));
    return audit.differences.length === 0 ? 0 : 1;
  } finally {
    await fleet.close();
  }
}

function textOf(audit: BillingAudit, seed: number): string {
  const { requests, records, outcomes, retried, continued, repeated, made, charged, inLedger, usd, differences } = audit;
  const ends = Object.entries(outcomes).map(([outcome, count]) => `${count} ${outcome}`).join(', ');
  const told = differences.slice(0, TOLD_MAX).map((line) => `  ${line}`);
  return [
    `${requests} requests (seed ${seed}), ${records} records: ${ends}; ${retried} with more than one attempt, ${continued} went on elsewhere; ${repeated} repeats by key`,
    `output tokens: ${made} made by the engines, ${charged} charged, ${inLedger} in the ledger`,
    `dollars: ${usd.records} by record, ${usd.usage} by usage, ${usd.balances} by balance, ${usd.invoices} by invoice`,
    differences.length === 0 ? 'no difference' : `${differences.length} differences:`,
    ...told,
    '',
  ].join('\n');
}

process.exitCode = await main();
