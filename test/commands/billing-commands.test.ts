import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { meridian } from '../support/meridian-process.ts';
import { Asking } from '../support/asking.ts';
import { ADMIN_KEY, MODEL, startTestFleet, type TestFleet } from '../support/test-fleet.ts';

let fleet: TestFleet;
let directory: string;
let today: string;

beforeAll(async () => {
  fleet = await startTestFleet({ regions: { 'gcp-us-east4': 1 } });
  directory = mkdtempSync(join(tmpdir(), 'meridian-invoice-'));
  const asking = await new Asking({ publicUrl: fleet.gateway.publicUrl, apiKey: fleet.apiKey }, { model: MODEL, max_tokens: 9, messages: [{ role: 'user', content: 'Bill me' }] }).over();
  await fleet.gateway.journal.flush();
  const entry = await fleet.gateway.journal.find(asking.requestId);
  today = new Date(entry?.record.admittedAtMs ?? 0).toISOString().slice(0, 10);
});
afterAll(async () => {
  rmSync(directory, { recursive: true });
  await fleet.close();
});

function command(...args: string[]) {
  return meridian(args, { MERIDIAN_ADMIN_URL: fleet.gateway.adminUrl, MERIDIAN_ADMIN_KEY: ADMIN_KEY });
}

describe('meridian invoice', () => {
  test('writes a PDF, and prints the other formats', async () => {
    const file = join(directory, 'invoice.pdf');
    const month = today.slice(0, 7);
    const [pdf, csv] = await Promise.all([
      command('invoice', '--org', 'org_default', '--month', month, '--format', 'pdf', '--out', file),
      command('invoice', '--org', 'org_default', '--month', month, '--format', 'csv'),
    ]);
    expect([pdf.ended, csv.ended]).toEqual([0, 0]);
    expect(readFileSync(file).subarray(0, 5).toString()).toBe('%PDF-');
    expect(csv.stdout).toMatch(/^kind,invoice,period,/);
    expect(csv.stdout).toContain('deepseek-v3,output');
  });

  test('says why it cannot finalize a month that is not over, and what it wants', async () => {
    const [early, wrong] = await Promise.all([
      command('invoice', '--org', 'org_default', '--month', today.slice(0, 7), '--finalize'),
      command('invoice', '--org', 'org_default', '--month', 'November'),
    ]);
    expect([early.ended, wrong.ended]).toEqual([1, 2]);
    expect(early.stderr).toContain('is not over');
    expect(wrong.stderr).toContain('2026-11');
  });
});

test('meridian reconcile shows what each replica made and earned', async () => {
  const { ended, stdout } = await command('reconcile', '--day', today);
  expect(ended).toBe(0);
  expect(stdout).toMatch(new RegExp(`${today}: \\d+ requests`));
  expect(stdout).toMatch(/gcp-us-east4-1\S*\s+1\s+1\s+\d+\s+9\s/);
  expect(stdout).toContain('0 attempts that two counted differently');
});

test('meridian audit verifies the log and the books, and lists what was done', async () => {
  await fleet.admin('POST', '/admin/v1/credits', { organization: 'org_default', amount_usd: '1.00' });
  const [verified, listed] = await Promise.all([command('audit', 'verify'), command('audit', 'list')]);
  expect([verified.ended, listed.ended]).toEqual([0, 0]);
  expect(verified.stdout).toContain('the books add up');
  expect(listed.stdout).toMatch(/credit\.created {2}org_default {2}credit_\S+ {2}by operator/);
});

test('meridian keys rotate prints the new key, and the old one goes on for its time', async () => {
  const { record, secret } = await fleet.gateway.keys.create({ name: 'rotated' });
  const { ended, stdout } = await command('keys', 'rotate', record.id, '--grace', '600');
  expect(ended).toBe(0);
  const models = async (key: string) => (await fetch(`${fleet.gateway.publicUrl}/models`, { headers: { authorization: `Bearer ${key}` } })).status;
  expect([await models(secret), await models(stdout.trim())]).toEqual([200, 200]);
  expect((await fleet.gateway.keys.get(record.id))?.expiresAtMs).not.toBeNull();
});
