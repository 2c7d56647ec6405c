import { ExportResultCode, type ExportResult } from '@opentelemetry/core';
import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace';
import CircuitBreaker from 'opossum';
import type { Logger } from '../core/index.ts';

/** The breaker opens when half of at least so many exports failed within ten seconds, and is tried again after as long. */
const BREAKER = { timeout: false, errorThresholdPercentage: 50, volumeThreshold: 3, resetTimeout: 10_000, rollingCountTimeout: 10_000 } as const;

/**
 * An exporter behind a circuit breaker: a collector that is down is not dialled for every batch. What cannot be exported is
 * lost, which is the fallback; it is in the log once when that begins, and once when it is over, with how much it was.
 */
export class WatchedExporter implements SpanExporter {
  readonly #exporter: SpanExporter;
  readonly #log: Logger;
  readonly #breaker: CircuitBreaker<[ReadableSpan[]], void>;
  /** Spans lost since exports began to fail; null while they succeed. */
  #lost: number | null = null;

  constructor(exporter: SpanExporter, log: Logger) {
    this.#exporter = exporter;
    this.#log = log;
    this.#breaker = new CircuitBreaker((spans: ReadableSpan[]) => this.#send(spans), BREAKER);
  }

  export(spans: ReadableSpan[], onExported: (result: ExportResult) => void): void {
    void this.#export(spans).then(onExported);
  }

  async shutdown(): Promise<void> {
    this.#breaker.shutdown();
    await this.#exporter.shutdown();
  }

  async forceFlush(): Promise<void> {
    await this.#exporter.forceFlush?.();
  }

  async #export(spans: ReadableSpan[]): Promise<ExportResult> {
    try {
      await this.#breaker.fire(spans);
      this.#succeeded();
      return { code: ExportResultCode.SUCCESS };
    } catch (thrown) {
      const error = thrown instanceof Error ? thrown : new Error(String(thrown));
      this.#failed(spans.length, error);
      return { code: ExportResultCode.FAILED, error };
    }
  }

  #send(spans: ReadableSpan[]): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#exporter.export(spans, ({ code, error }) => {
        if (code === ExportResultCode.SUCCESS) resolve();
        else reject(error ?? new Error('the collector did not take the spans'));
      });
    });
  }

  #succeeded(): void {
    if (this.#lost !== null) this.#log.info({ lost: this.#lost }, 'Traces are exported again.');
    this.#lost = null;
  }

  #failed(spans: number, error: Error): void {
    if (this.#lost === null) this.#log.warn({ error }, 'Traces cannot be exported; they are lost until they can.');
    this.#lost = (this.#lost ?? 0) + spans;
  }
}
