import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { takeChanges } from '../../src/config/index.ts';
import { GatewaySchema, gatewayProperties } from '../../src/config/gateway-schema.ts';
import { propertySchemas, schemaAt } from '../../src/config/schema-walk.ts';
import { CHANGES, isLive } from '../../src/wiring/live-paths.ts';
import { baseConfig } from '../support/test-fleet.ts';

const TABLE = new Map([...readFileSync('docs/configuration.md', 'utf8').matchAll(/^\| `([a-z_.]+)` \| (live|restart) \|/gm)].map(([, path = '', needs = '']) => [path, needs]));

describe('what a change needs', () => {
  test('is said of every section of the configuration, and of nothing that there is not', () => {
    expect(Object.keys(gatewayProperties).filter((section) => !Object.hasOwn(CHANGES, section))).toEqual([]);
    const strangers = Object.keys(CHANGES).filter((path) => {
      const steps = path.split('.');
      return propertySchemas(schemaAt(GatewaySchema, steps.slice(0, -1)))?.[String(steps.at(-1))] === undefined;
    });
    expect(strangers).toEqual([]);
  });

  test('stands in the documentation as it is', () => {
    expect(Object.fromEntries(TABLE)).toEqual(CHANGES);
  });

  test('of a value is what the longest path says that holds it', () => {
    expect(['limits.in_flight_max', 'limits.body_bytes_max', 'limits_of_another', 'models.a.free', 'listen.fleet.peers', 'listen.fleet', 'telemetry.log_level', 'telemetry.service_name'].map(isLive)).toEqual([true, false, false, true, true, false, true, false]);
  });
});

describe('taking changes', () => {
  const before = baseConfig('/data');

  test('takes what may be taken, leaves the rest, and names both as the file spells them', () => {
    const after = { ...before, dataDir: '/other', models: { other: { contextTokens: 5, outputTokensMax: 5, bytesPerToken: 4, free: true } }, timeouts: { ...before.timeouts, stallMs: 7 } };
    const { config, taken, left } = takeChanges(before, after, isLive, 'file');
    expect(taken).toEqual(['models.deepseek-v3', 'models.other', 'timeouts.stall_ms']);
    expect(left).toEqual(['data_dir']);
    expect(config).toEqual({ ...after, dataDir: '/data' });
  });

  test('a section that comes or goes is one change', () => {
    const { fleet: _fleet, ...listen } = before.listen;
    const { config, left } = takeChanges(before, { ...before, listen, replicas: [] }, isLive, 'file');
    expect(left).toEqual(['listen.fleet']);
    expect(config).toEqual(before);
  });
});
