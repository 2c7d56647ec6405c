import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { configChanges, gatewayDefaults, LIVE_PATHS, type GatewayConfig } from '../../src/config/index.ts';

const config: GatewayConfig = { ...gatewayDefaults(), gateway: { id: 'g', region: 'r' }, adminKey: 'k', models: { m: { contextTokens: 1, outputTokensMax: 1, bytesPerToken: 4, free: false } } };
const schema = JSON.parse(readFileSync('config/gateway.schema.json', 'utf8')) as { properties: Record<string, unknown> };

test('the same configuration has no changes', () => {
  expect(configChanges(config, structuredClone(config))).toEqual({ live: [], needsRestart: [] });
});

test('changes are named by the paths of the file, and told apart by whether they need a restart', () => {
  const after: GatewayConfig = {
    ...config,
    dataDir: 'elsewhere',
    models: { ...config.models, other: { contextTokens: 1, outputTokensMax: 1, bytesPerToken: 4, free: true } },
    timeouts: { ...config.timeouts, totalMs: 1, receiveMs: 2 },
    listen: { ...config.listen, public: { ...config.listen.public, port: 1 } },
    redis: { mode: 'single', urls: ['redis://h'], keyPrefix: 'p', commandMs: 1 },
  };
  expect(configChanges(config, after)).toEqual({ live: ['models', 'timeouts.total_ms'], needsRestart: ['data_dir', 'listen.public.port', 'redis', 'timeouts.receive_ms'] });
});

test('every path that is live is one of the schema', () => {
  for (const path of LIVE_PATHS) {
    let at: unknown = schema;
    for (const name of path.split('.')) at = (Object(at) as { properties?: Record<string, unknown> }).properties?.[name];
    expect([path, at]).toEqual([path, expect.any(Object)]);
  }
});

test('docs/configuration.md has the paths that are live, and no other', () => {
  const listed = [...readFileSync('docs/configuration.md', 'utf8').matchAll(/^\| `([a-z_.]+)` \|/gm)].map(([, path]) => path);
  expect(listed.toSorted((a, b) => (String(a) < String(b) ? -1 : 1))).toEqual(LIVE_PATHS.toSorted((a, b) => (a < b ? -1 : 1)));
});
