import { PrometheusSerializer } from '@opentelemetry/exporter-prometheus';
import type { MetricProducer } from '@opentelemetry/sdk-metrics';
import type { Logger } from '../core/index.ts';
import { prometheusNamed } from './prometheus-names.ts';

/** Everything `producer` has, in Prometheus' text format (version 0.0.4). */
export class PrometheusScrape {
  readonly #producer: MetricProducer;
  readonly #log: Logger;
  // The scope's name is always ours and would be one more label on every line; what the process is stands in target_info.
  readonly #serializer = new PrometheusSerializer('', false, undefined, false, true);

  constructor(producer: MetricProducer, log: Logger) {
    this.#producer = producer;
    this.#log = log;
  }

  async text(): Promise<string> {
    const { resourceMetrics, errors } = await this.#producer.collect();
    for (const error of errors) this.#log.warn({ error }, 'A metric could not be read.');
    const scopeMetrics = resourceMetrics.scopeMetrics.map(({ scope, metrics }) => ({ scope, metrics: metrics.map(prometheusNamed) }));
    const text = this.#serializer.serialize({ ...resourceMetrics, scopeMetrics });
    // What it says of no metrics at all is a comment that does not end its line, which Prometheus refuses.
    return text.endsWith('\n') ? text : `${text}\n`;
  }
}
