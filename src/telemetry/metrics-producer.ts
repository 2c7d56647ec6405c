import { ValueType, type HrTime } from '@opentelemetry/api';
import { millisToHrTime } from '@opentelemetry/core';
import type { Resource } from '@opentelemetry/resources';
import {
  AggregationTemporality,
  DataPointType,
  type CollectionResult,
  type DataPoint,
  type MetricData,
  type MetricProducer,
} from '@opentelemetry/sdk-metrics';
import type { Clock, MetricSnapshot, MetricsRegistry } from '../core/index.ts';

export interface MetricsProducerOptions {
  readonly registry: Pick<MetricsRegistry, 'read'>;
  readonly resource: Resource;
  /** When counting began, in milliseconds since the epoch. */
  readonly startedAtMs: number;
  readonly clock: Clock;
}

/** The registry as a source of OpenTelemetry metrics: read whole at each collection, cumulative since the start. */
export class MetricsProducer implements MetricProducer {
  readonly #options: MetricsProducerOptions;
  readonly #startTime: HrTime;

  constructor(options: MetricsProducerOptions) {
    this.#options = options;
    this.#startTime = millisToHrTime(options.startedAtMs);
  }

  collect(): Promise<CollectionResult> {
    const { registry, resource, clock } = this.#options;
    const snapshots = registry.read();
    const endTime = millisToHrTime(clock.wallMs());
    const metrics = snapshots.map((snapshot) => metricData(snapshot, this.#startTime, endTime));
    const errors = snapshots.flatMap((snapshot) =>
      snapshot.kind === 'gauge' && snapshot.fault !== null
        ? [new Error(`The gauge ${snapshot.name} could not be observed.`, { cause: snapshot.fault })]
        : [],
    );
    return Promise.resolve({ resourceMetrics: { resource, scopeMetrics: [{ scope: { name: 'meridian' }, metrics }] }, errors });
  }
}

function metricData(snapshot: MetricSnapshot, startTime: HrTime, endTime: HrTime): MetricData {
  const { name, help, unit } = snapshot;
  const described = {
    descriptor: { name, description: help, unit, valueType: ValueType.DOUBLE },
    aggregationTemporality: AggregationTemporality.CUMULATIVE,
  };
  const point = <T>(attributes: Readonly<Record<string, string>>, value: T): DataPoint<T> => {
    return { startTime, endTime, attributes, value };
  };
  switch (snapshot.kind) {
    case 'counter': {
      const dataPoints = snapshot.points.map(({ labels, value }) => point(labels, value));
      return { ...described, dataPointType: DataPointType.SUM, isMonotonic: true, dataPoints };
    }
    case 'gauge': {
      const dataPoints = snapshot.points.map(({ labels, value }) => point(labels, value));
      return { ...described, dataPointType: DataPointType.GAUGE, dataPoints };
    }
    case 'histogram': {
      const boundaries = [...snapshot.bounds];
      const dataPoints = snapshot.points.map(({ labels, counts, count, sum }) =>
        point(labels, { buckets: { boundaries, counts: [...counts] }, count, sum }),
      );
      return { ...described, dataPointType: DataPointType.HISTOGRAM, dataPoints };
    }
  }
}
