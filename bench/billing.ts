/** `npm run bench:billing`: what durable records cost, and how soon a ledger with millions of events answers. */
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { openJournal, openLedger, openSqliteLedger, type Journal, type LedgerEvent } from '../src/billing/index.ts';
import { noLog, seededRng, systemClock, wait } from '../src/core/index.ts';
import { goalTable, type Goal } from './goal.ts';
import { PRICE, settleRecord as settle, USAGE } from './settle-record.ts';
import { percentile } from './statistics.ts';

const HELP = `npm run bench:billing -- [options]

  --events N     events in the ledger (10000000)
  --seconds N    how long records are written (5)
  --json         print figures as JSON
`;
const LANES = 256;
const PACED_PER_S = 200;
const BATCH = 20_000;
const KEYS = 1_000;
const PROJECTS = 50;
const MODELS = ['deepseek-v3', 'deepseek-v3-next'];
const MONTH_FROM_MS = Date.UTC(2026, 9, 1);
const DAY_MS = 86_400_000;
const MONTH_DAYS = 31;
const ROUNDS = 5;
const USAGE_MS_MAX = 200;
const INVOICE_MS_MAX = 2_000;

interface Figures {
  readonly recordsPerS: number;
  readonly cpuUsPerRecord: number;
  readonly settleP50Ms: number;
  readonly settleP99Ms: number;
  readonly journalBytesPerRecord: number;
  readonly shippedPerS: number;
  readonly events: number;
  readonly appliedPerS: number;
  readonly ledgerBytesPerEvent: number;
  readonly usageMs: number;
  readonly usageGroups: number;
  readonly invoiceMs: number;
  readonly invoiceLines: number;
}

const { values } = parseArgs({ options: { events: { type: 'string', default: '10000000' }, seconds: { type: 'string', default: '5' }, json: { type: 'boolean', default: false }, help: { type: 'boolean', default: false } } });
if (values.help) {
  process.stdout.write(HELP);
} else {
  const directory = mkdtempSync(join(tmpdir(), 'meridian-bench-billing-'));
  try {
    const figures = { ...(await writing(directory, Number(values.seconds))), ...(await asking(directory, Number(values.events))) };
    process.stdout.write(values.json ? `${JSON.stringify(figures, null, 2)}\n` : textOf(figures));
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** Records as fast as they become durable, then at a steady pace, then into a ledger. */
async function writing(directory: string, seconds: number) {
  const path = join(directory, 'journal.sqlite');
  const journal = await openJournal({ path, groupCommitMs: 2, streamGroupCommitMs: 20, clock: systemClock, log: noLog });
  const cpu = process.cpuUsage();
  const startedMs = performance.now();
  let records = 0;
  const lane = async (): Promise<void> => {
    while (performance.now() - startedMs < seconds * 1_000) {
      await settle(journal);
      records += 1;
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  const tookS = (performance.now() - startedMs) / 1_000;
  const { user, system } = process.cpuUsage(cpu);
  const waits = await paced(journal, seconds);
  await journal.close();
  const settled = records + waits.length;
  const journalBytesPerRecord = statSync(path).size / settled;
  const again = await openJournal({ path, groupCommitMs: 2, streamGroupCommitMs: 20, clock: systemClock, log: noLog });
  const ledger = await openLedger({ database: { kind: 'sqlite', path: join(directory, 'shipped.sqlite') }, journalPath: path, source: 'bench', sealKey: Buffer.alloc(32) });
  const shipStartedMs = performance.now();
  const lines = await ledger.ship(systemClock.wallMs());
  const shippedPerS = lines / ((performance.now() - shipStartedMs) / 1_000);
  await ledger.close();
  await again.close();
  return {
    recordsPerS: records / tookS,
    cpuUsPerRecord: (user + system) / records,
    settleP50Ms: percentile(waits, 0.5),
    settleP99Ms: percentile(waits, 0.99),
    journalBytesPerRecord,
    shippedPerS,
  };
}

/** What a request waits for its record to be durable, at a steady pace. */
async function paced(journal: Journal, seconds: number): Promise<number[]> {
  const waits: number[] = [];
  const all: Promise<void>[] = [];
  for (let i = 0; i < seconds * PACED_PER_S; i += 1) {
    const startedMs = performance.now();
    all.push(settle(journal).then(() => void waits.push(performance.now() - startedMs)));
    await wait(systemClock, 1_000 / PACED_PER_S);
  }
  await Promise.all(all);
  return waits;
}

/** A ledger with `events` events of one month and one organization. */
async function asking(directory: string, events: number) {
  const path = join(directory, 'ledger.sqlite');
  const ledger = openSqliteLedger(path, { sealKey: Buffer.alloc(32) });
  const rng = seededRng(1);
  const startedMs = performance.now();
  for (let done = 0; done < events; done += BATCH) {
    const batch = Array.from({ length: Math.min(BATCH, events - done) }, (_, i) => eventOf(done + i, events, rng.next()));
    await ledger.apply({ source: 'bench', position: done + batch.length, events: batch, nowMs: MONTH_FROM_MS });
    process.stderr.write(`\r${done + batch.length} of ${events} events`);
  }
  process.stderr.write('\n');
  const appliedPerS = events / ((performance.now() - startedMs) / 1_000);
  const month = { fromMs: MONTH_FROM_MS, toMs: MONTH_FROM_MS + MONTH_DAYS * DAY_MS, grain: 'whole', groupBy: ['keyId', 'model'], only: { organization: ['org_bench'] } } as const;
  const terms = { seller: null, footer: '', invoicePrefix: 'INV', creditNotePrefix: 'CN', dueDays: 30, projectNames: {} };
  const usage = await slowest(() => ledger.usage(month));
  const invoice = await slowest(() => ledger.previewInvoice('org_bench', '2026-10', terms));
  if (usage.value.reduce((sum, { requests }) => sum + requests, 0) !== events) throw new Error('the usage does not add up');
  await ledger.close();
  return {
    events,
    appliedPerS,
    ledgerBytesPerEvent: statSync(path).size / events,
    usageMs: usage.ms,
    usageGroups: usage.value.length,
    invoiceMs: invoice.ms,
    invoiceLines: invoice.value.lines.length,
  };
}

/** The slowest of some rounds, the first, which reads from the file, among them. */
async function slowest<T>(ask: () => Promise<T>): Promise<{ readonly ms: number; readonly value: T }> {
  let ms = 0;
  let value = await timed();
  for (let round = 1; round < ROUNDS; round += 1) value = await timed();
  return { ms, value };

  async function timed(): Promise<T> {
    const startedMs = performance.now();
    const answer = await ask();
    ms = Math.max(ms, performance.now() - startedMs);
    return answer;
  }
}

/** In the order of their time, as a journal has them. */
function eventOf(i: number, events: number, chance: number): LedgerEvent {
  const key = Math.floor(chance * KEYS);
  return {
    id: `req_${String(i).padStart(26, '0')}`,
    kind: 'request',
    meter: { organization: 'org_bench', project: `proj_${key % PROJECTS}`, keyId: `key_${key}`, model: MODELS[i % MODELS.length] ?? '', endpoint: 'chat.completions', price: PRICE },
    atMs: MONTH_FROM_MS + Math.floor((i / events) * MONTH_DAYS * DAY_MS),
    usage: USAGE,
  };
}

function textOf(figures: Figures): string {
  const goals: Goal[] = [
    { what: `a month's usage by key and model, of ${figures.events} events`, bound: `≤ ${USAGE_MS_MAX} ms`, reached: `${Math.round(figures.usageMs)} ms, ${figures.usageGroups} groups`, isMet: figures.usageMs <= USAGE_MS_MAX },
    { what: `the invoice of that month`, bound: `≤ ${INVOICE_MS_MAX} ms`, reached: `${Math.round(figures.invoiceMs)} ms, ${figures.invoiceLines} lines`, isMet: figures.invoiceMs <= INVOICE_MS_MAX },
  ];
  return [
    `durable records: ${Math.round(figures.recordsPerS)} per second with ${LANES} at once, ${figures.cpuUsPerRecord.toFixed(1)} µs of CPU each; ${Math.round(figures.journalBytesPerRecord)} bytes each`,
    `added to a request at ${PACED_PER_S} per second: ${figures.settleP50Ms.toFixed(2)} ms at the median, ${figures.settleP99Ms.toFixed(2)} ms at the 99th percentile`,
    `into the ledger: ${Math.round(figures.shippedPerS)} per second from a journal, ${Math.round(figures.appliedPerS)} per second in large batches; ${Math.round(figures.ledgerBytesPerEvent)} bytes each`,
    ...goalTable(goals),
    '',
  ].join('\n');
}
