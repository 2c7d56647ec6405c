import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { loadGatewayConfig, loadNodeConfig } from '../../src/config/index.ts';

const SECRETS = { MERIDIAN_ADMIN_KEY: 'an-admin-key-of-some-length', MERIDIAN_FLEET_TOKEN: 'a-fleet-token-of-some-length', MERIDIAN_NODE_ID: 'n1', MERIDIAN_REGION: 'gcp-us-east4' };
const DASHBOARDS = 'deploy/grafana/dashboards';
const KNOWN = new Set([...readFileSync('docs/metrics.md', 'utf8').matchAll(/^\| `([a-z0-9_]+)` \|/gm)].map(([, name = '']) => name));

/** The metrics that a query names. */
function metricsOf(query: string): string[] {
  return [...query.matchAll(/\b((?:meridian|gen_ai_server)_[a-z_]+)\b/g)].map(([, name = '']) => name.replace(/_(bucket|sum|count)$/, ''));
}

const rules = (parse(readFileSync('deploy/prometheus/alerts.yaml', 'utf8')) as { groups: { rules: { alert: string; expr: string; annotations: { action: string } }[] }[] }).groups.flatMap((group) => group.rules);

describe('alerts and dashboards', () => {
  test.each(rules.map(({ alert, expr }) => [alert, expr]))('the alert %s asks for metrics that there are', (_, expr) => {
    expect(metricsOf(expr).filter((name) => !KNOWN.has(name))).toEqual([]);
  });

  test('each alert says what to do, and what it names in the runbook is there', () => {
    const runbook = readFileSync('docs/runbook.md', 'utf8');
    expect(rules.filter(({ annotations }) => annotations.action === '')).toEqual([]);
    const sections = rules.flatMap(({ annotations }) => [...annotations.action.matchAll(/runbook\.md, "([^"]+)"/g)].map(([, section = '']) => section));
    expect(sections.length).toBeGreaterThan(3);
    expect(sections.filter((section) => !runbook.includes(`## ${section}`))).toEqual([]);
  });

  test.each(readdirSync(DASHBOARDS))('the dashboard %s asks for metrics that there are, each panel once', (file) => {
    const { panels } = JSON.parse(readFileSync(`${DASHBOARDS}/${file}`, 'utf8')) as { panels: { id: number; title: string; targets: { expr: string }[] }[] };
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    const unknown = panels.flatMap(({ title, targets }) => targets.flatMap(({ expr }) => metricsOf(expr).filter((name) => !KNOWN.has(name)).map((name) => `${title}: ${name}`)));
    expect(unknown).toEqual([]);
  });
});

test('the configurations of the composition have no faults', () => {
  expect(loadGatewayConfig('deploy/compose/gateway.yaml', SECRETS).listen.fleet?.port).toBe(8_082);
  expect(loadNodeConfig('deploy/compose/node.yaml', SECRETS).node.id).toBe('n1');
});

test('the images have what they copy, and the units wait for longer than a drain', () => {
  for (const file of readdirSync('deploy/docker')) {
    const copied = [...readFileSync(`deploy/docker/${file}`, 'utf8').matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, paths = '']) => paths.split(' '));
    expect(copied.filter((path) => !existsSync(path))).toEqual([]);
  }
  const { drain } = loadGatewayConfig('config/gateway.yaml', SECRETS);
  const [, stopS = '0'] = /^TimeoutStopSec=(\d+)$/m.exec(readFileSync('deploy/systemd/meridian-gateway.service', 'utf8')) ?? [];
  expect(Number(stopS) * 1_000).toBeGreaterThan(drain.readinessMs + drain.streamsMs);
});
