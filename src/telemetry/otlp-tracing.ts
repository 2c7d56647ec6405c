import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { BatchSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import type { Logger, Tracing } from '../core/index.ts';
import { processResource, type ServiceName } from './process-resource.ts';
import { requestSpans } from './request-spans.ts';
import { WatchedExporter } from './watched-exporter.ts';

export interface OtlpOptions extends ServiceName {
  /** Base URL of the collector; traces go to `/v1/traces` below it. */
  readonly endpoint: string;
  /** Spans kept for export; more are dropped. */
  readonly queuedMax: number;
  /** Spans in one export. */
  readonly batchMax: number;
  /** The longest a span waits for its batch. */
  readonly batchMs: number;
  /** The longest one export may take, with its retries. */
  readonly exportMs: number;
  readonly log: Logger;
}

export interface OtlpTracing extends Tracing {
  /** Exports what is queued, and ends. */
  close(): Promise<void>;
}

/** Tracing that is exported in batches by OTLP over HTTP, as JSON. */
export function otlpTracing(options: OtlpOptions): OtlpTracing {
  const { endpoint, exportMs, log } = options;
  const url = `${endpoint.replace(/\/+$/, '')}/v1/traces`;
  const processor = new BatchSpanProcessor({
    exporter: new WatchedExporter(new OTLPTraceExporter({ url, timeoutMillis: exportMs }), log),
    maxQueueSize: options.queuedMax,
    maxExportBatchSize: options.batchMax,
    scheduledDelayMillis: options.batchMs,
    exportTimeoutMillis: exportMs,
  });
  const provider = new TracerProvider({ resource: processResource(options), spanProcessors: [processor] });
  const tracer = provider.getTracer('meridian', options.serviceVersion);
  return { ...requestSpans(tracer), close: () => provider.shutdown() };
}
