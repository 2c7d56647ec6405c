import { noTracing, wait, type Clock, type Logger, type MetricsRegistry, type Tracing } from '../core/index.ts';
import type { OtlpTracing } from './otlp-tracing.ts';
import type { PrometheusScrape } from './prometheus-scrape.ts';

export interface TelemetryOptions {
  readonly serviceName: string;
  readonly serviceVersion: string;
  /** Base URL of an OpenTelemetry collector (`http://host:4318`); null for no traces. */
  readonly otlpEndpoint: string | null;
  readonly metrics: Pick<MetricsRegistry, 'read'>;
  readonly clock: Clock;
  readonly log: Logger;
  /** Bounds of the traces under way; for each a default. */
  readonly traces?: Partial<TraceBounds>;
}

export interface TraceBounds {
  /** Spans kept for export; more are dropped. 4,096. */
  readonly queuedMax: number;
  /** Spans in one export. 512. */
  readonly batchMax: number;
  /** The longest a span waits for its batch. 2 s. */
  readonly batchMs: number;
  /** The longest one export may take, with its retries. 10 s. */
  readonly exportMs: number;
  /** What the last exports get when telemetry closes. 3 s. */
  readonly closeMs: number;
}

const TRACE_BOUNDS: TraceBounds = { queuedMax: 4_096, batchMax: 512, batchMs: 2_000, exportMs: 10_000, closeMs: 3_000 };

export interface Telemetry {
  /** All metrics as they stand, in Prometheus' text format (version 0.0.4). */
  scrape(): Promise<string>;
  readonly tracing: Tracing;
  /** Sends what is left of the traces, within `closeMs`. Never rejects. */
  close(): Promise<void>;
}

/**
 * OpenTelemetry's SDKs take a tenth of a second to load, so each is loaded when it is needed: the one for traces here,
 * if there is an endpoint, and the one for metrics at the first scrape.
 */
export async function startTelemetry(options: TelemetryOptions): Promise<Telemetry> {
  const bounds = { ...TRACE_BOUNDS, ...options.traces };
  const traces = await startTraces(options, bounds);
  const startedAtMs = options.clock.wallMs();
  let loading: Promise<PrometheusScrape> | null = null;
  return {
    tracing: traces ?? noTracing,
    async scrape() {
      loading ??= loadScrape(options, startedAtMs);
      return (await loading).text();
    },
    async close() {
      if (traces !== null) await Promise.race([closeTraces(traces, options.log), wait(options.clock, bounds.closeMs)]);
    },
  };
}

async function startTraces(options: TelemetryOptions, bounds: TraceBounds): Promise<OtlpTracing | null> {
  const { otlpEndpoint: endpoint, serviceName, serviceVersion, log } = options;
  if (endpoint === null) return null;
  const { otlpTracing } = await import('./otlp-tracing.ts');
  return otlpTracing({ endpoint, serviceName, serviceVersion, log, ...bounds });
}

async function closeTraces(traces: OtlpTracing, log: Logger): Promise<void> {
  try {
    await traces.close();
  } catch (error) {
    log.warn({ error }, 'The last traces could not be exported.');
  }
}

async function loadScrape(options: TelemetryOptions, startedAtMs: number): Promise<PrometheusScrape> {
  const [{ MetricsProducer }, { processResource }, { PrometheusScrape }] = await Promise.all([
    import('./metrics-producer.ts'),
    import('./process-resource.ts'),
    import('./prometheus-scrape.ts'),
  ]);
  const { metrics: registry, clock, log } = options;
  return new PrometheusScrape(new MetricsProducer({ registry, resource: processResource(options), startedAtMs, clock }), log);
}
