import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Webhook } from 'standardwebhooks';
import { expect, onTestFinished, test } from 'vitest';
import { startTestFleet } from '../support/test-fleet.ts';
import { until } from '../support/until.ts';

test('an endpoint is told of invoices and budgets, in messages that the official library verifies', async () => {
  const fleet = await startTestFleet({ regions: {}, agentless: 1, config: (config) => ({ ...config, webhooks: { allowPrivate: false, allowLoopback: true } }) });
  onTestFinished(() => fleet.close());
  const got: { headers: IncomingHttpHeaders; body: string }[] = [];
  const receiver = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString('utf8')));
    request.on('end', () => {
      got.push({ headers: request.headers, body });
      response.end();
    });
  });
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void receiver.close());
  const url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/hooks`;
  const { status, json: endpoint } = await fleet.admin('POST', '/admin/v1/webhook_endpoints', { url, organization: 'org_a' });
  expect(status).toBe(201);

  const period = new Date().toISOString().slice(0, 7);
  const { json: invoice } = await fleet.admin('POST', '/admin/v1/invoices', { organization: 'org_a', period });
  await fleet.admin('POST', '/admin/v1/invoices', { organization: 'org_b', period });
  await fleet.admin('POST', '/admin/v1/budgets', { organization: 'org_a', amount_usd: '0.000001', hard: false, warn_percents: [100] });
  const key = (await fleet.gateway.keys.create({ name: 'a', organization: 'org_a' })).secret;
  await fetch(`${fleet.gateway.publicUrl}/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'deepseek-v3', max_tokens: 3, messages: [{ role: 'user', content: 'hello' }] }),
  });

  await until(() => got.length === 2, 'both are told');
  const verifier = new Webhook(String(endpoint['secret']));
  const told = got.map(({ headers, body }) => verifier.verify(body, headers as Record<string, string>) as { type: string; data: Record<string, unknown> });
  const byType = new Map(told.map(({ type, data }) => [type, data]));
  expect(byType.get('invoice.created')).toMatchObject({ id: invoice['id'], organization: 'org_a', status: 'draft' });
  expect(byType.get('budget.threshold_reached')).toMatchObject({ organization: 'org_a', percent: 100 });
});
