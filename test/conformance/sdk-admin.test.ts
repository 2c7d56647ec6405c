import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ADMIN_KEY, MODEL, startTestFleet, type TestFleet } from '../support/test-fleet.ts';

let fleet: TestFleet;
let admin: OpenAI['admin']['organization'];

beforeAll(async () => {
  fleet = await startTestFleet({ regions: {}, agentless: 1 });
  admin = adminOf(ADMIN_KEY);
});
afterAll(() => fleet.close());

function adminOf(adminAPIKey: string): OpenAI['admin']['organization'] {
  return new OpenAI({ baseURL: `${fleet.gateway.adminUrl}/v1`, apiKey: null, adminAPIKey, maxRetries: 0 }).admin.organization;
}

function ask(apiKey: string) {
  const client = new OpenAI({ baseURL: fleet.gateway.publicUrl, apiKey, maxRetries: 0 });
  return client.chat.completions.create({ model: MODEL, max_tokens: 2, messages: [{ role: 'user', content: 'Who am I?' }] });
}

async function all<Item>(pages: AsyncIterable<Item>): Promise<Item[]> {
  const items: Item[] = [];
  for await (const item of pages) items.push(item);
  return items;
}

describe('client.admin of the official SDK', () => {
  test('makes projects, lists them page by page, renames and archives them; an archived one serves nobody', async () => {
    const made = [];
    for (let i = 0; i < 5; i += 1) made.push(await admin.projects.create({ name: `Project ${i}` }));
    expect(made[0]).toMatchObject({ object: 'organization.project', name: 'Project 0', status: 'active', archived_at: null });
    const ids = (await all(admin.projects.list({ limit: 2 }))).map(({ id }) => id);
    expect(ids).toEqual(expect.arrayContaining(made.map(({ id }) => id)));
    expect(new Set(ids).size).toBe(ids.length);
    const id = String(made[0]?.id);
    expect(await admin.projects.update(id, { name: 'Renamed' })).toMatchObject({ id, name: 'Renamed' });
    const { api_key: key } = await admin.projects.serviceAccounts.create(id, { name: 'robot' });
    await ask(String(key?.value));
    expect(await admin.projects.archive(id)).toMatchObject({ id, status: 'archived' });
    await expect(ask(String(key?.value))).rejects.toMatchObject({ status: 401, message: expect.stringContaining('archived') });
    expect((await all(admin.projects.list())).map((project) => project.id)).not.toContain(id);
    expect((await all(admin.projects.list({ include_archived: true }))).map((project) => project.id)).toContain(id);
    expect(await admin.projects.retrieve(id)).toMatchObject({ name: 'Renamed', archived_at: expect.any(Number) });
  });

  test('makes service accounts with keys, which go with them', async () => {
    const project = await admin.projects.create({ name: 'robots' });
    const account = await admin.projects.serviceAccounts.create(project.id, { name: 'ci' });
    const secret = String(account.api_key?.value);
    expect(secret).toMatch(/^mk_live_/);
    expect(await admin.projects.serviceAccounts.retrieve(account.id, { project_id: project.id })).toMatchObject({ id: account.id, name: 'ci', role: 'member' });
    expect(await all(admin.projects.serviceAccounts.list(project.id))).toMatchObject([{ id: account.id }]);
    await ask(secret);
    const [key] = await all(admin.projects.apiKeys.list(project.id));
    expect(key).toMatchObject({ id: account.api_key?.id, owner: { type: 'service_account', service_account: { id: account.id } }, last_used_at: expect.any(Number) });
    expect(JSON.stringify(key)).not.toContain(secret);
    expect(await admin.projects.serviceAccounts.delete(account.id, { project_id: project.id })).toMatchObject({ deleted: true });
    await expect(ask(secret)).rejects.toMatchObject({ status: 401 });
    await expect(admin.projects.serviceAccounts.retrieve(account.id, { project_id: project.id })).rejects.toMatchObject({ status: 404 });
  });

  test('retrieves, changes and revokes API keys of a project, and only of that one', async () => {
    const [project, other] = [await admin.projects.create({ name: 'one' }), await admin.projects.create({ name: 'other' })];
    const account = await admin.projects.serviceAccounts.create(project.id, { name: 'ci' });
    const id = String(account.api_key?.id);
    expect(await admin.projects.apiKeys.retrieve(id, { project_id: project.id })).toMatchObject({ id, name: 'ci', expires_at: null });
    await expect(admin.projects.apiKeys.retrieve(id, { project_id: other.id })).rejects.toMatchObject({ status: 404 });
    await admin.projects.apiKeys.update(id, { project_id: project.id, scopes: ['embeddings'] });
    await expect(ask(String(account.api_key?.value))).rejects.toMatchObject({ status: 403, message: expect.stringContaining('no scope for chat.completions') });
    expect(await admin.projects.apiKeys.delete(id, { project_id: project.id })).toMatchObject({ deleted: true });
    await expect(ask(String(account.api_key?.value))).rejects.toMatchObject({ status: 401, message: expect.stringContaining('revoked') });
    expect(await all(admin.projects.apiKeys.list(project.id))).toEqual([]);
  });

  test('admin keys open their own organization and nothing else', async () => {
    const { status } = await fleet.admin('POST', '/admin/v1/organizations', { id: 'org_acme', name: 'Acme' });
    expect(status).toBe(201);
    const made = await admin.adminAPIKeys.create({ name: 'finance' }, { headers: { 'OpenAI-Organization': 'org_acme' } });
    expect(made.value).toMatch(/^mk_admin_/);
    const own = adminOf(made.value);
    const project = await own.projects.create({ name: 'of Acme' });
    expect((await all(own.projects.list())).map(({ id }) => id)).toEqual([project.id]);
    const foreign = await admin.projects.create({ name: 'of the default organization' });
    await expect(own.projects.retrieve(foreign.id)).rejects.toMatchObject({ status: 404 });
    // What it says of the organization does not count: it is its own.
    expect((await all(own.projects.list({}, { headers: { 'OpenAI-Organization': 'org_default' } }))).map(({ id }) => id)).toEqual([project.id]);
    expect(await all(own.adminAPIKeys.list())).toMatchObject([{ id: made.id, name: 'finance', redacted_value: expect.stringMatching(/^mk_admin_…/) }]);
    expect(await own.adminAPIKeys.retrieve(made.id)).toMatchObject({ id: made.id });
    const operatorOnly = await fetch(`${fleet.gateway.adminUrl}/admin/v1/keys`, { headers: { authorization: `Bearer ${made.value}` } });
    expect(operatorOnly.status).toBe(403);
    await expect(ask(made.value)).rejects.toMatchObject({ status: 401, message: expect.stringContaining('admin key') });
    await own.adminAPIKeys.delete(made.id);
    await expect(own.projects.list()).rejects.toMatchObject({ status: 401 });
  });

  test('an API key does not administer', async () => {
    await expect(adminOf(fleet.apiKey).projects.list()).rejects.toMatchObject({ status: 401, message: expect.stringContaining('admin key') });
  });

  test('rate limits of models are listed and changed', async () => {
    const project = await admin.projects.create({ name: 'limited' });
    const [before] = await all(admin.projects.rateLimits.listRateLimits(project.id));
    expect(before).toMatchObject({ model: MODEL, max_requests_per_1_minute: 2_147_483_647 });
    const changed = await admin.projects.rateLimits.updateRateLimit(String(before?.id), { project_id: project.id, max_requests_per_1_minute: 7 });
    expect(changed).toMatchObject({ model: MODEL, max_requests_per_1_minute: 7, max_tokens_per_1_minute: 2_147_483_647 });
    expect(await all(admin.projects.rateLimits.listRateLimits(project.id))).toMatchObject([{ max_requests_per_1_minute: 7 }]);
    await expect(admin.projects.rateLimits.updateRateLimit('rl-nothing', { project_id: project.id })).rejects.toMatchObject({ status: 404 });
    await expect(admin.projects.rateLimits.updateRateLimit(String(before?.id), { project_id: project.id, max_requests_per_1_minute: 1.5 })).rejects.toMatchObject({ status: 400, param: 'max_requests_per_1_minute' });
  });

  test('every act is in the audit log, with who did it, and the log verifies', async () => {
    const project = await admin.projects.create({ name: 'watched' });
    const account = await admin.projects.serviceAccounts.create(project.id, { name: 'ci' });
    await admin.projects.serviceAccounts.delete(account.id, { project_id: project.id });
    const events = await all(admin.auditLogs.list({ project_ids: [project.id], limit: 2 }));
    expect(events.map(({ type }) => type)).toEqual(['service_account.deleted', 'api_key.created', 'service_account.created', 'project.created']);
    expect(events.at(-1)).toMatchObject({ project: { id: project.id }, actor: { api_key: { id: 'operator' } }, 'project.created': { id: project.id, data: { name: 'watched' } } });
    expect(JSON.stringify(events)).not.toContain(String(account.api_key?.value));
    const created = await all(admin.auditLogs.list({ project_ids: [project.id], event_types: ['project.created'], effective_at: { gte: Math.floor(project.created_at) - 1 } }));
    expect(created).toHaveLength(1);
    expect(await all(admin.auditLogs.list({ project_ids: [project.id], effective_at: { lt: project.created_at - 1 } }))).toEqual([]);
    const { json } = await fleet.admin('GET', '/admin/v1/audit_log/verification');
    expect(json).toMatchObject({ intact: true, fault: null });
    expect(Number(json['events'])).toBeGreaterThan(4);
  });
});
