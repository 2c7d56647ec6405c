import { describe, expect, test } from 'vitest';
import { MetricsRegistry, noLog, type Logger, type MetricSnapshot } from '../../src/core/index.ts';
import { startTelemetry } from '../../src/telemetry/index.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { parsePrometheus, type Sample } from './prometheus-text.ts';

async function scraped(metrics: MetricsRegistry, log: Logger = noLog) {
  const options = { serviceName: 'test-gateway', serviceVersion: '1.2.3', otlpEndpoint: null, clock: new ManualClock() };
  const telemetry = await startTelemetry({ ...options, metrics, log });
  return parsePrometheus(await telemetry.scrape());
}

/** What Prometheus should see of a metric, whose name there is `name`. */
function expected(snapshot: MetricSnapshot, name: string): Sample[] {
  if (snapshot.kind !== 'histogram') return snapshot.points.map(({ labels, value }) => ({ name, labels, value }));
  return snapshot.points.flatMap(({ labels, counts, count, sum }) => {
    let below = 0;
    const buckets = counts.map((n, i) => {
      below += n;
      const le = snapshot.bounds[i] === undefined ? '+Inf' : String(snapshot.bounds[i]);
      return { name: `${name}_bucket`, labels: { ...labels, le }, value: below };
    });
    return [{ name: `${name}_count`, labels, value: count }, { name: `${name}_sum`, labels, value: sum }, ...buckets];
  });
}

function filledRegistry(): MetricsRegistry {
  const registry = new MetricsRegistry();
  const requests = registry.counter('meridian.requests', {
    help: 'Requests, by how they ended.',
    unit: '{request}',
    labels: ['model', 'outcome'],
  });
  requests.with({ model: 'deepseek-v3', outcome: 'completed' }).add(41);
  requests.with({ model: 'a "b" \\ c\nd{}=,', outcome: 'failed' }).add(1);
  const duration = registry.histogram('gen_ai.server.request.duration', {
    help: 'From admission to the last byte.',
    unit: 's',
    labels: ['gen_ai.request.model'],
    bounds: [0.1, 1, 10],
  });
  for (const seconds of [0.05, 0.1, 0.7, 3, 99]) duration.with({ 'gen_ai.request.model': 'deepseek-v3' }).record(seconds);
  registry.histogram('gen_ai.client.token.usage', { help: 'Tokens.', unit: '{token}', bounds: [1, 16] }).with({}).record(12);
  registry.gauge('meridian.kv.used', { help: 'KV cache in use.', unit: '1', labels: ['replica'] }, (set) => {
    set({ replica: 'a/0' }, 0.25);
    set({ replica: 'b/0' }, 1e-7);
  });
  registry.counter('meridian.relay.io', { help: 'Bytes relayed.', unit: 'By' }).with({}).add(2 ** 40);
  return registry;
}

test('the scrape, parsed back, is the registry: every series, every value, under the names Prometheus has for them', async () => {
  const registry = filledRegistry();
  const { samples } = await scraped(registry);
  const names = [
    'meridian_requests_total',
    'gen_ai_server_request_duration_seconds',
    'gen_ai_client_token_usage',
    'meridian_kv_used_ratio',
    'meridian_relay_io_bytes_total',
  ];
  const all = registry.read().flatMap((snapshot, i) => expected(snapshot, names[i] ?? ''));
  const withPlainLabels = all.map(({ labels, ...sample }) => ({
    ...sample,
    labels: Object.fromEntries(Object.entries(labels).map(([label, value]) => [label.replaceAll('.', '_'), value])),
  }));
  expect(samples.filter(({ name }) => name !== 'target_info')).toEqual(withPlainLabels);
});

describe('the scrape', () => {
  test('says of each metric what type it is and what it means', async () => {
    const { types, help } = await scraped(filledRegistry());
    expect(Object.fromEntries(types)).toEqual({
      target_info: 'gauge',
      meridian_requests_total: 'counter',
      gen_ai_server_request_duration_seconds: 'histogram',
      gen_ai_client_token_usage: 'histogram',
      meridian_kv_used_ratio: 'gauge',
      meridian_relay_io_bytes_total: 'counter',
    });
    expect(help.get('meridian_requests_total')).toBe('Requests, by how they ended.');
  });

  test('names the service once, and not on every line', async () => {
    const { samples } = await scraped(filledRegistry());
    expect(samples.filter(({ labels }) => 'service_name' in labels || 'otel_scope_name' in labels)).toEqual([
      { name: 'target_info', labels: { service_name: 'test-gateway', service_version: '1.2.3' }, value: 1 },
    ]);
  });

  test('is read anew each time, and counts go on', async () => {
    const registry = new MetricsRegistry();
    const child = registry.counter('things', { help: 'Things.', unit: '{thing}' }).with({});
    child.add(1);
    const clock = new ManualClock();
    const options = { serviceName: 's', serviceVersion: '1', otlpEndpoint: null, clock, log: noLog };
    const telemetry = await startTelemetry({ ...options, metrics: registry });
    const value = async (): Promise<number | undefined> =>
      parsePrometheus(await telemetry.scrape()).samples.find(({ name }) => name === 'things_total')?.value;
    expect(await value()).toBe(1);
    child.add(2);
    expect(await value()).toBe(3);
    await telemetry.close();
  });

  test('of no metrics at all is still well-formed', async () => {
    expect((await scraped(new MetricsRegistry())).samples.filter(({ name }) => name !== 'target_info')).toEqual([]);
  });

  test('goes on without a gauge that throws, and the log has the reason', async () => {
    const registry = filledRegistry();
    const fault = new Error('gone');
    registry.gauge('broken', { help: 'Broken.', unit: '1' }, () => {
      throw fault;
    });
    const warned: object[] = [];
    const { samples } = await scraped(registry, { ...noLog, warn: (fields) => warned.push(fields) });
    expect(samples.length).toBeGreaterThan(10);
    expect(warned).toEqual([{ error: new Error('The gauge broken could not be observed.', { cause: fault }) }]);
  });
});
