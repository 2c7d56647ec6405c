import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { openSqliteLedger, type Ledger } from '../../src/billing/index.ts';
import { invoiceSuite } from './invoice-suite.ts';
import { ledgerEvents, ledgerSuite } from './ledger-suite.ts';

const directory = mkdtempSync(join(tmpdir(), 'meridian-ledger-'));
afterAll(() => rmSync(directory, { recursive: true }));
let files = 0;
const newFile = (): string => join(directory, `${(files += 1)}.sqlite`);
const sealKey = randomBytes(32);

const openEmpty = (): Promise<Ledger> => Promise.resolve(openSqliteLedger(newFile(), { sealKey }));

ledgerSuite('SQLite', openEmpty);
invoiceSuite('SQLite', openEmpty);

describe('what was written', () => {
  const columns = ['event_id', 'kind', 'at_ms', 'invoice_month', 'requests', 'prompt_tokens', 'cached_tokens', 'completion_tokens', 'reasoning_tokens'] as const;

  async function filled(path: string): Promise<Ledger> {
    const ledger = openSqliteLedger(path, { sealKey });
    const [events = []] = fc.sample(ledgerEvents(30), { numRuns: 1, seed: 5 });
    for (let i = 0; i < events.length; i += 5) await ledger.apply({ source: 'j', position: i + 5, events: events.slice(i, i + 5), nowMs: 0 });
    await ledger.close();
    return ledger;
  }

  /** Does `damage` to the file behind the ledger's back; what the ledger says then. */
  async function faultsAfter(damage: (db: DatabaseSync) => void): Promise<readonly string[]> {
    const path = newFile();
    await filled(path);
    const db = new DatabaseSync(path);
    db.exec('PRAGMA foreign_keys = OFF');
    for (const name of ['events_are_never_updated', 'events_are_never_deleted', 'seals_are_never_deleted']) db.exec(`DROP TRIGGER ${name}`);
    damage(db);
    db.close();
    const ledger = openSqliteLedger(path, { sealKey });
    const faults = await ledger.faults();
    await ledger.close();
    return faults;
  }

  test('is found whole when nobody touched it', async () => expect(await faultsAfter(() => {})).toEqual([]));

  test.each(columns)('is not believed once %s of an event was changed', async (column) => {
    const change = ['event_id', 'kind', 'invoice_month'].includes(column) ? `${column} || 'x'` : `${column} + 1`;
    const faults = await faultsAfter((db) => db.exec(`UPDATE events SET ${column} = ${change} WHERE seq = 8`));
    expect(faults.join()).toContain('events 6 to 10 are not as they were sealed');
  });

  test('is not believed once an event was taken out, put in, or given another meter, or a meter another price', async () => {
    expect((await faultsAfter((db) => db.exec('DELETE FROM events WHERE seq = 8'))).join()).toContain('events 6 to 10');
    expect((await faultsAfter((db) => db.exec('UPDATE events SET meter = meter % 3 + 1 WHERE seq = 8'))).join()).toContain('events 6 to 10');
    expect((await faultsAfter((db) => db.exec('UPDATE meters SET price_output = price_output + 1 WHERE id = 2'))).join()).toContain('meter 2 is not what its name says');
    const copy = "INSERT INTO events SELECT 9000, 'copy', kind, meter, at_ms, invoice_month, requests, prompt_tokens, cached_tokens, completion_tokens, reasoning_tokens FROM events WHERE seq = 1";
    expect((await faultsAfter((db) => db.exec(copy))).join()).toContain('from 9000 on were never sealed');
    expect((await faultsAfter((db) => db.exec('DELETE FROM seals WHERE last_seq = 10'))).join()).toContain('not as they were sealed');
  });

  test('of an invoice stays as it was finalized: SQL refuses every change of it, and all but the way on', async () => {
    const path = newFile();
    const ledger = openSqliteLedger(path, { sealKey });
    const terms = { seller: null, footer: '', invoicePrefix: 'INV', creditNotePrefix: 'CN', dueDays: 1, projectNames: {} };
    const nowMs = Date.parse('2026-11-02T00:00:00Z');
    await ledger.createInvoice({ id: 'inv_1', organization: 'org_a', period: '2026-10', nowMs }, terms);
    await ledger.finalizeInvoice({ id: 'inv_1', terms, nowMs });
    await ledger.close();
    const db = new DatabaseSync(path);
    for (const change of ["snapshot = '{}'", "number = 'INV-000007'", "period = '2026-09'", "organization = 'org_b'", 'finalized_at_ms = 1', 'due_at_ms = 1', "status = 'draft'"]) {
      expect(() => db.exec(`UPDATE invoices SET ${change}`)).toThrow(/never changed/);
    }
    expect(() => db.exec('DELETE FROM invoices')).toThrow(/never deleted/);
    db.exec("UPDATE invoices SET status = 'paid', paid_at_ms = 5");
    db.close();
  });

  test('cannot be changed through SQL by mistake', async () => {
    const path = newFile();
    await filled(path);
    const db = new DatabaseSync(path);
    for (const table of ['events', 'transactions', 'entries', 'seals']) {
      expect(() => db.exec(`DELETE FROM ${table}`)).toThrow(/append-only/);
    }
    expect(() => db.exec('UPDATE entries SET amount = 0')).toThrow(/append-only/);
    db.close();
  });
});
