import { performance } from 'node:perf_hooks';
import { Client } from 'pg';
import { openPostgresLedger } from '../../src/billing/index.ts';
import { percentile } from '../statistics.ts';

export interface QueryFigure {
  readonly what: string;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

const MONTH_FROM_MS = Date.UTC(2026, 9, 1);
const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
const MONTH_DAYS = 31;
const ROUNDS = 20;
const KEYS = 1_000;
const ORGANIZATIONS = 20;

/** Usage and invoices over `rows` events of one month, of 20 organizations with 1,000 keys and two models. */
export async function queryFigures(url: string, rows: number, told: (what: string) => void): Promise<readonly QueryFigure[]> {
  const ledger = await openPostgresLedger({ url, sealKey: Buffer.alloc(32), statementMs: 600_000 });
  await fill(url, rows, told);
  const month = { fromMs: MONTH_FROM_MS, toMs: MONTH_FROM_MS + MONTH_DAYS * DAY_MS } as const;
  const day = { fromMs: MONTH_FROM_MS + 9 * DAY_MS, toMs: MONTH_FROM_MS + 10 * DAY_MS } as const;
  const only = { organization: ['org_7'] };
  const terms = { seller: null, footer: '', invoicePrefix: 'INV', creditNotePrefix: 'CN', dueDays: 30, projectNames: {} };
  const figures = [
    await timed('usage of a month by day, project and model, of one organization', () => ledger.usage({ ...month, grain: 'day', groupBy: ['project', 'model'], only })),
    await timed('usage of a month by key, of all organizations', () => ledger.usage({ ...month, grain: 'whole', groupBy: ['keyId'], only: {} })),
    await timed('the curve of a day by hours, of all organizations', () => ledger.usage({ ...day, grain: 'hour', groupBy: [], only: {} })),
    await timed('an hour by minutes, of one organization', () => ledger.usage({ fromMs: day.fromMs, toMs: day.fromMs + HOUR_MS, grain: 'minute', groupBy: ['model'], only })),
    await timed('the invoice of a month, of one organization', () => ledger.previewInvoice('org_7', '2026-10', terms)),
  ];
  await ledger.close();
  return figures;
}

async function timed(what: string, ask: () => Promise<unknown>): Promise<QueryFigure> {
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const startedMs = performance.now();
    await ask();
    times.push(performance.now() - startedMs);
  }
  return { what, p50Ms: percentile(times, 0.5), p99Ms: percentile(times, 0.99) };
}

/** As booking would have written them, but by the database itself. */
async function fill(url: string, rows: number, told: (what: string) => void): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    await fillBy(client, rows, told);
  } finally {
    await client.end();
  }
}

async function fillBy(client: Client, rows: number, told: (what: string) => void): Promise<void> {
  const run = async (what: string, text: string): Promise<void> => {
    told(what);
    await client.query(text);
  };
  const tokens = 'requests, prompt_tokens, cached_tokens, completion_tokens, reasoning_tokens';
  const sums = 'sum(requests), sum(prompt_tokens), sum(cached_tokens), sum(completion_tokens), sum(reasoning_tokens)';
  await run('meters', `
    INSERT INTO meters (name, organization, project, key_id, model, endpoint, tier, price_row, price_input, price_input_cached, price_output)
    SELECT 'meter ' || k || ' ' || m, 'org_' || k % ${ORGANIZATIONS}, 'proj_' || k % 100, 'key_' || k, 'model-' || m, 'chat.completions', 'standard', 'price_bench', 560000000, 70000000, 1680000000
    FROM generate_series(0, ${KEYS - 1}) AS k, generate_series(0, 1) AS m`);
  await run('a part for the month', `CREATE TABLE events_2026_10 PARTITION OF events FOR VALUES IN ('2026-10'); INSERT INTO event_parts VALUES ('2026-10')`);
  await run(`${rows} events`, `
    INSERT INTO events (booked_month, event_id, kind, meter, at_ms, invoice_month, ${tokens})
    SELECT '2026-10', 'req_' || lpad(i::text, 26, '0'), 'request', 1 + (i::bigint * 7919) % ${2 * KEYS}, ${MONTH_FROM_MS} + (i::float8 / ${rows} * ${MONTH_DAYS * DAY_MS})::bigint, '2026-10', 1, 1000, 512, 300, 0
    FROM generate_series(0, ${rows - 1}) AS i`);
  for (const [grain, width] of [['hour', HOUR_MS], ['day', DAY_MS]] as const) {
    await run(`sums by ${grain}`, `INSERT INTO rollups (grain, start_ms, meter, ${tokens}) SELECT '${grain}', at_ms - at_ms % ${width}, meter, ${sums} FROM events GROUP BY 2, 3`);
  }
  await run('what is to be invoiced', `
    INSERT INTO charges (organization, invoice_month, month, meter, ${tokens}, last_seq)
    SELECT meters.organization, '2026-10', '2026-10', meter, ${sums}, max(seq) FROM events JOIN meters ON meters.id = events.meter GROUP BY 1, 4`);
  await run('statistics', 'ANALYZE');
}
