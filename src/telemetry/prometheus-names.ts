import { DataPointType, type MetricData } from '@opentelemetry/sdk-metrics';

const UNIT_WORDS: Readonly<Record<string, string>> = { s: 'seconds', By: 'bytes' };

/**
 * The metric with its unit spelt out in its name, as Prometheus names things: `request.duration` in `s` becomes
 * `request.duration_seconds`, a gauge in `1` a `_ratio`; what is counted (`{token}`) gets nothing. The serializer does
 * the rest: dots become underscores, and counters end in `_total`. By OpenTelemetry's "Prometheus and OpenMetrics
 * compatibility", which the serializer follows but for units.
 */
export function prometheusNamed(metric: MetricData): MetricData {
  const { descriptor } = metric;
  const isRatio = descriptor.unit === '1' && metric.dataPointType === DataPointType.GAUGE;
  const unit = isRatio ? 'ratio' : (UNIT_WORDS[descriptor.unit] ?? '');
  const name = unit === '' || descriptor.name.endsWith(unit) ? descriptor.name : `${descriptor.name}_${unit}`;
  return { ...metric, descriptor: { ...descriptor, name, unit } };
}
