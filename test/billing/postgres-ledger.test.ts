import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { openPostgresLedger, type Ledger, type LedgerEvent } from '../../src/billing/index.ts';
import { hasPostgres, PostgresServer } from '../support/postgres-server.ts';
import { invoiceSuite } from './invoice-suite.ts';
import { ledgerEvents, ledgerSuite } from './ledger-suite.ts';

const sealKey = randomBytes(32);
const NOW_MS = Date.parse('2026-11-26T12:00:00Z');

describe.skipIf(!hasPostgres)('the ledger in PostgreSQL', () => {
  let server: PostgresServer;
  let template: string;
  beforeAll(async () => {
    server = await PostgresServer.start();
    template = await server.database();
    await (await openPostgresLedger({ url: template, sealKey })).close();
  });
  afterAll(() => server.close());

  const openEmpty = async (): Promise<Ledger> => openPostgresLedger({ url: await server.database(template), sealKey, connectionsMax: 2 });

  ledgerSuite('PostgreSQL', openEmpty, 8);
  invoiceSuite('PostgreSQL', openEmpty, 5);

  async function several(count: number): Promise<{ url: string; ledgers: readonly Ledger[] }> {
    const url = await server.database(template);
    const ledgers = await Promise.all(Array.from({ length: count }, () => openPostgresLedger({ url, sealKey, connectionsMax: 2 })));
    onTestFinished(async () => {
      await Promise.all(ledgers.map((ledger) => ledger.close()));
    });
    return { url, ledgers };
  }

  function sampled(count: number): LedgerEvent[] {
    const [events = []] = fc.sample(ledgerEvents(count), { numRuns: 1, seed: 5 });
    return events.slice(0, count);
  }

  test('has every event once, whichever gateways bring it and how often', async () => {
    const { ledgers } = await several(4);
    const events = sampled(40);
    await Promise.all(
      ledgers.flatMap((ledger, i) =>
        Array.from({ length: 10 }, (_, part) => ledger.apply({ source: `journal-${i % 2}`, position: 4 * (part + 1), events: events.slice(4 * part, 4 * part + 8), nowMs: NOW_MS })),
      ),
    );
    const usage = await ledgers[0]?.usage({ fromMs: 0, toMs: NOW_MS, grain: 'whole', groupBy: [], only: {} });
    const requests = (usage ?? []).reduce((sum, one) => sum + one.requests, 0);
    expect(requests).toBe(events.filter(({ kind }) => kind === 'request').length);
    expect(await ledgers[3]?.faults()).toEqual([]);
    expect(await ledgers[1]?.position('journal-1')).toBe(40);
  });

  test('numbers invoices without gaps, however many gateways finalize them at once', async () => {
    const { ledgers } = await several(4);
    const terms = { seller: null, footer: '', invoicePrefix: 'INV', creditNotePrefix: 'CN', dueDays: 1, projectNames: {} };
    const numbers = await Promise.all(
      Array.from({ length: 24 }, async (_, i) => {
        const ledger = ledgers[i % 4];
        const id = `inv_${i}`;
        await ledger?.createInvoice({ id, organization: `org_${i}`, period: '2026-10', nowMs: NOW_MS }, terms);
        return (await ledger?.finalizeInvoice({ id, terms, nowMs: NOW_MS }))?.number;
      }),
    );
    expect(new Set(numbers)).toEqual(new Set(Array.from({ length: 24 }, (_, i) => `INV-${String(i + 1).padStart(6, '0')}`)));
  });

  test('takes what it was given before or not at all, when the server is killed under it', async () => {
    const { ledgers } = await several(2);
    const [one, other] = ledgers;
    const events = Array.from({ length: 400 }, (_, i): LedgerEvent => ({ ...(sampled(1)[0] as LedgerEvent), kind: 'request', id: `req_${i}` }));
    const ship = async (ledger: Ledger | undefined, source: string, from: number): Promise<void> => {
      for (let i = from; i < from + 200; i += 5) {
        const batch = { source, position: i + 5, events: events.slice(i, i + 5), nowMs: NOW_MS };
        // As the shipper does: what was not acknowledged is brought again.
        await until(async () => (await ledger?.apply(batch).then(() => true, () => false)) ?? true);
      }
    };
    const shipping = Promise.all([ship(one, 'a', 0), ship(other, 'b', 200)]);
    await until(async () => ((await one?.position('a').catch(() => 0)) ?? 0) > 20);
    await server.stop('SIGQUIT');
    await server.up();
    await shipping;
    const [sum] = (await one?.usage({ fromMs: 0, toMs: NOW_MS, grain: 'whole', groupBy: [], only: {} })) ?? [];
    expect(sum?.requests).toBe(400);
    expect(await other?.faults()).toEqual([]);
  });

  test('refuses every change of what happened, and says where somebody got round that', async () => {
    const { url, ledgers } = await several(1);
    await ledgers[0]?.apply({ source: 'j', position: 40, events: sampled(40), nowMs: NOW_MS });
    for (const table of ['events', 'event_ids', 'transactions', 'entries', 'seals']) {
      await expect(server.query(url, `DELETE FROM ${table}`)).rejects.toThrow(/append-only/);
    }
    await expect(server.query(url, 'UPDATE entries SET amount = 0')).rejects.toThrow(/append-only/);
    await server.query(url, 'ALTER TABLE events DISABLE TRIGGER USER; ALTER TABLE events_2026_11 DISABLE TRIGGER USER; UPDATE events SET completion_tokens = completion_tokens + 1 WHERE seq = 8');
    expect((await ledgers[0]?.faults())?.join()).toContain('are not as they were sealed');
  });

  test('drops single events of old months, and keeps what they sum to, their ids, and the chain', async () => {
    const { url, ledgers } = await several(1);
    const [ledger] = ledgers;
    const events = sampled(30);
    const months = ['2026-08-10T00:00:00Z', '2026-09-10T00:00:00Z', '2026-11-10T00:00:00Z'];
    for (const [i, month] of months.entries()) await ledger?.apply({ source: 'j', position: i, events: events.slice(10 * i, 10 * i + 10), nowMs: Date.parse(month) });
    const query = { fromMs: 0, toMs: NOW_MS, grain: 'day' as const, groupBy: ['organization' as const], only: {} };
    const before = await ledger?.usage(query);
    expect(await ledger?.dropOldEvents(2, NOW_MS)).toEqual(['2026-08']);
    expect(await ledger?.dropOldEvents(1, NOW_MS)).toEqual(['2026-09']);
    expect(await server.query(url, 'SELECT count(*)::int AS count FROM events')).toEqual([{ count: 10 }]);
    expect(await ledger?.usage(query)).toEqual(before);
    expect(await ledger?.faults()).toEqual([]);
    expect((await ledger?.apply({ source: 'k', position: 1, events, nowMs: NOW_MS }))?.fresh).toEqual([]);
    await expect(ledger?.rebuild()).rejects.toThrow(/events of 2026-09 and before are not kept/);
    await expect(server.query(url, 'UPDATE dropped_usage SET requests = 0')).rejects.toThrow(/append-only/);
    await server.query(url, 'ALTER TABLE dropped_usage DISABLE TRIGGER USER; UPDATE dropped_usage SET prompt_tokens = prompt_tokens + 1');
    expect((await ledger?.faults())?.join()).toContain('what is noted of the dropped events of 2026-08 is not as it was written');
  });
});

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 5));
}
