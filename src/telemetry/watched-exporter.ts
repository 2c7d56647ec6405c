import { ExportResultCode, type ExportResult } from '@opentelemetry/core';
import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace';
import type { Logger } from '../core/index.ts';

/** An exporter whose failures are in the log: once when they begin, once when they are over. */
export class WatchedExporter implements SpanExporter {
  readonly #exporter: SpanExporter;
  readonly #log: Logger;
  /** Spans lost since exports began to fail; null while they succeed. */
  #lost: number | null = null;

  constructor(exporter: SpanExporter, log: Logger) {
    this.#exporter = exporter;
    this.#log = log;
  }

  export(spans: ReadableSpan[], done: (result: ExportResult) => void): void {
    this.#exporter.export(spans, (result) => {
      if (result.code === ExportResultCode.SUCCESS) this.#succeeded();
      else this.#failed(spans.length, result.error);
      done(result);
    });
  }

  shutdown(): Promise<void> {
    return this.#exporter.shutdown();
  }

  async forceFlush(): Promise<void> {
    await this.#exporter.forceFlush?.();
  }

  #succeeded(): void {
    if (this.#lost !== null) this.#log.info({ lost: this.#lost }, 'Traces are exported again.');
    this.#lost = null;
  }

  #failed(spans: number, error: Error | undefined): void {
    if (this.#lost === null) this.#log.warn({ error }, 'Traces cannot be exported; they are lost until they can.');
    this.#lost = (this.#lost ?? 0) + spans;
  }
}
