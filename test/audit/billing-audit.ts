import { chargeOf, chargeTotal, type UsageRecord } from '../../src/billing/index.ts';
import { parseUsd, sumOf, usdText, type Rng } from '../../src/core/index.ts';
import { NO_FAULTS } from '../../src/sim/index.ts';
import type { Asking } from '../support/asking.ts';
import { expectedCharge } from '../support/expected-charge.ts';
import { FAULTS, mixed, run } from '../support/mixed-load.ts';
import type { TestFleet } from '../support/test-fleet.ts';
import { until } from '../support/until.ts';
import { engineTruth, type EngineTruth, type ShownRecord } from '../support/usage-truth.ts';

/** What a mixed workload came to, by every count there is. Dollars are exact texts. */
export interface BillingAudit {
  readonly requests: number;
  readonly records: number;
  readonly outcomes: Readonly<Record<string, number>>;
  /** Requests with more than one attempt; those that went on elsewhere. */
  readonly retried: number;
  readonly continued: number;
  /** Repeats of a request with its Idempotency-Key: answered again or refused, and charged nothing. */
  readonly repeated: number;
  /** Output tokens: made by engines for whatever attempt, charged, and in the ledger. */
  readonly made: number;
  readonly charged: number;
  readonly inLedger: number;
  /** Dollars by record, by the ledger's usage, by its balances, and by invoice. */
  readonly usd: Readonly<Record<'records' | 'usage' | 'balances' | 'invoices', string>>;
  /** What does not agree, in words. */
  readonly differences: readonly string[];
}

const TENANTS = [
  ['org_a', 'proj_a1'],
  ['org_a', 'proj_a2'],
  ['org_b', 'proj_b1'],
] as const;
const ROUND = 500;
const AT_ONCE = 24;
const PAGE = 500;

interface Round {
  readonly repeated: number;
  readonly asked: readonly Asking[];
  readonly records: readonly ShownRecord[];
  readonly truth: ReadonlyMap<string, EngineTruth>;
}

/** Asks `requests` times, in rounds, and compares all counts after each and at the end. `told` hears how far it is. */
export async function auditBilling(fleet: TestFleet, requests: number, rng: Rng, told: (done: number) => void): Promise<BillingAudit> {
  const created = await Promise.all(TENANTS.map(([organization, project]) => fleet.gateway.keys.create({ name: project, organization, project })));
  const keys = created.map(({ secret }) => secret);
  for (const { faults } of fleet.engines) faults.set({ ...NO_FAULTS, requests: FAULTS });
  const differences: string[] = [];
  let made = 0;
  let seen = 0;
  let repeated = 0;
  let after = '';
  for (let done = 0; done < requests; done += ROUND) {
    const round = await oneRound(fleet, keys, Math.min(ROUND, requests - done), rng, after, seen);
    for (const id of round.truth.keys()) made += round.truth.get(id)?.completion ?? 0;
    differences.push(...differencesOf(round));
    seen += round.records.length;
    repeated += round.repeated;
    after = round.records.at(-1)?.id ?? after;
    told(Math.min(done + ROUND, requests));
  }
  return { requests, made, repeated, ...(await booksOf(fleet, differences)) };
}

async function oneRound(fleet: TestFleet, keys: readonly string[], count: number, rng: Rng, after: string, seen: number): Promise<Round> {
  const mix = Array.from({ length: count }, () => ({ request: mixed(rng), key: keys[Math.floor(rng.next() * keys.length)] ?? '', idempotencyKey: rng.next() < 0.1 ? `${rng.next()}` : null }));
  const asked: Asking[] = [];
  let repeated = 0;
  const worker = async (): Promise<void> => {
    for (let next = mix.shift(); next !== undefined; next = mix.shift()) {
      const once = next.idempotencyKey === null ? {} : { 'idempotency-key': next.idempotencyKey };
      asked.push(await run(fleet, next.request, next.key, once));
      if (next.idempotencyKey === null) continue;
      // What the key is good for: asked again, it must neither run nor cost, whatever became of the first one.
      const again = await run(fleet, { ...next.request, leave: 'never' }, next.key, once);
      if (again.headers['idempotent-replayed'] === 'true' || again.status === 409) repeated += 1;
      else asked.push(again);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  await until(() => fleet.gateway.fleet.all().every(({ inFlight }) => inFlight === 0), 'every permit is given back');
  const told = asked.filter(({ status }) => status !== 0).map(({ requestId }) => requestId);
  let records: ShownRecord[] = [];
  await until(async () => {
    records = await recordsAfter(fleet, after);
    const ids = new Set(records.map(({ id }) => id));
    return told.every((id) => ids.has(id));
  }, `every request has its record, after ${seen}`);
  const ids = new Set(records.flatMap(({ attempts }) => attempts.map(({ id }) => id)));
  const truth = new Map([...(await engineTruth(fleet.engines))].filter(([id]) => ids.has(id)));
  return { repeated, asked, records, truth };
}

async function recordsAfter(fleet: TestFleet, after: string): Promise<ShownRecord[]> {
  const records: ShownRecord[] = [];
  for (;;) {
    const last = records.at(-1)?.id ?? after;
    const { json } = await fleet.admin('GET', `/admin/v1/requests?limit=${PAGE}${last === '' ? '' : `&after=${last}`}`);
    records.push(...(json['data'] as ShownRecord[]));
    if (json['has_more'] !== true) return records;
  }
}

function differencesOf({ asked, records, truth }: Round): string[] {
  const wrong = records.flatMap((record) => {
    const { prompt_tokens, cached_tokens, completion_tokens } = record.usage;
    const charged = JSON.stringify({ prompt_tokens, cached_tokens, completion_tokens });
    const expected = JSON.stringify(expectedCharge(record, truth));
    return charged === expected ? [] : [`${record.id} (${record.outcome}) is charged ${charged}, its engines made ${expected}`];
  });
  const ids = records.map(({ id }) => id);
  const twice = ids.filter((id, i) => ids.indexOf(id) !== i).map((id) => `${id} has two records`);
  const completed = new Set(records.filter(({ outcome }) => outcome === 'completed').map(({ id }) => id));
  const untrue = asked.filter(({ hasLeft, isAcknowledged, requestId }) => !hasLeft && isAcknowledged !== completed.has(requestId)).map(({ requestId }) => `${requestId} was told another end than its record says`);
  return [...wrong, ...twice, ...untrue];
}

async function booksOf(fleet: TestFleet, found: readonly string[]): Promise<Omit<BillingAudit, 'requests' | 'made' | 'repeated'>> {
  const { gateway } = fleet;
  const differences = [...found];
  await gateway.journal.flush();
  await gateway.feed.catchUp();
  const records = await journalRecords(gateway);
  const months = [...new Set(records.map(({ admittedAtMs }) => new Date(admittedAtMs).toISOString().slice(0, 7)))];
  const days = { fromMs: Math.min(...records.map(({ admittedAtMs }) => admittedAtMs)) - 86_400_000 * 2, toMs: Date.now() + 86_400_000 * 2 };
  const usage = await gateway.ledger.usage({ fromMs: days.fromMs - (days.fromMs % 86_400_000), toMs: days.toMs - (days.toMs % 86_400_000), grain: 'day', groupBy: [], only: {} });
  const organizations = [...new Set(TENANTS.map(([organization]) => organization))];
  const balances = await Promise.all(organizations.map((organization) => gateway.ledger.balance(organization)));
  const invoices: string[] = [];
  for (const organization of organizations) {
    for (const month of months) invoices.push(String((await fleet.admin('GET', `/admin/v1/invoices/of_month?organization=${organization}&period=${month}`)).json['subtotal_usd']));
  }
  const usd = {
    records: usdText(sumOf(records.map((record) => chargeTotal(chargeOf(record.usage, record.price))))),
    usage: usdText(sumOf(usage.map(({ amount }) => amount))),
    balances: usdText(sumOf(balances.map(({ unbilled }) => unbilled))),
    invoices: usdText(sumOf(invoices.map((text) => parseUsd(text) ?? sumOf([])))),
  };
  for (const [by, amount] of Object.entries(usd)) if (amount !== usd.records) differences.push(`by ${by} it is $${amount}, by record $${usd.records}`);
  const charged = records.reduce((sum, record) => sum + record.usage.completionTokens, 0);
  const inLedger = usage.reduce((sum, { completionTokens }) => sum + completionTokens, 0);
  if (charged !== inLedger) differences.push(`${charged} tokens were charged, the ledger has ${inLedger}`);
  differences.push(...(await gateway.ledger.faults()));
  return {
    records: records.length,
    outcomes: Object.fromEntries([...Map.groupBy(records, ({ outcome }) => outcome)].map(([outcome, list]) => [outcome, list.length])),
    retried: records.filter(({ attempts }) => attempts.length > 1).length,
    continued: records.filter(({ attempts }) => attempts.some(({ resumedTokens }) => resumedTokens > 0)).length,
    charged,
    inLedger,
    usd,
    differences,
  };
}

async function journalRecords({ journal }: TestFleet['gateway']): Promise<UsageRecord[]> {
  const records: UsageRecord[] = [];
  for (;;) {
    const { entries, hasMore } = await journal.list({ limit: PAGE, after: records.at(-1)?.requestId });
    records.push(...entries.map(({ record }) => record));
    if (!hasMore) return records;
  }
}
