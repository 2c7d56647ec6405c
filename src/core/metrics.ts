/**
 * Measuring, as the code that is measured sees it. What is measured is a plain number in memory: adding to it costs a
 * nanosecond, and it is read only when somebody scrapes.
 */
export interface Metrics {
  counter<Label extends string = never>(name: string, options: MetricOptions<Label>): Family<Label, Counter>;
  histogram<Label extends string = never>(name: string, options: HistogramOptions<Label>): Family<Label, Histogram>;
  /** What stands at the moment of reading: `observe` is called at each reading, and says every value it has. */
  gauge<Label extends string = never>(name: string, options: MetricOptions<Label>, observe: Observe<Label>): void;
}

/** The children of one metric, by their labels. */
export interface Family<Label extends string, Child> {
  /** The child with these labels; always the same one. Look it up once and keep it where the path is hot. */
  with(labels: Labels<Label>): Child;
}

export interface Counter {
  /** What is no finite number, or under zero, is not added: one bad measurement must not spoil the sum. */
  add(n: number): void;
}

export interface Histogram {
  /** What is no finite number is not recorded. */
  record(value: number): void;
}

export type Observe<Label extends string> = (set: (labels: Labels<Label>, value: number) => void) => void;

export type Labels<Label extends string = string> = Readonly<Record<Label, string>>;

/** By UCUM, as OpenTelemetry has it: seconds, bytes, a ratio, or things counted, e.g. `{token}`. */
export type Unit = 's' | 'By' | '1' | `{${string}}`;

export interface MetricOptions<Label extends string> {
  /** One sentence for whoever reads the dashboard. */
  readonly help: string;
  readonly unit: Unit;
  readonly labels?: readonly Label[];
  /**
   * How many label sets are kept apart; 2,000 by default. What comes beyond goes to one more child, all of whose labels
   * are `other`; a gauge, whose values cannot be added up, leaves it out.
   */
  readonly childrenMax?: number;
}

export interface HistogramOptions<Label extends string> extends MetricOptions<Label> {
  /** Upper bounds of the buckets, inclusive, ascending; one more bucket holds what is above the last. */
  readonly bounds: readonly number[];
}

/** One metric as it stood when it was read. */
export type MetricSnapshot = CounterSnapshot | GaugeSnapshot | HistogramSnapshot;

interface Described {
  readonly name: string;
  readonly help: string;
  readonly unit: Unit;
}

export interface CounterSnapshot extends Described {
  readonly kind: 'counter';
  readonly points: readonly NumberPoint[];
}

export interface GaugeSnapshot extends Described {
  readonly kind: 'gauge';
  readonly points: readonly NumberPoint[];
  /** What the observer threw, if it did; the points are those it had set by then. */
  readonly fault: Error | null;
}

export interface HistogramSnapshot extends Described {
  readonly kind: 'histogram';
  readonly bounds: readonly number[];
  readonly points: readonly HistogramPoint[];
}

export interface NumberPoint {
  readonly labels: Labels;
  readonly value: number;
}

export interface HistogramPoint {
  readonly labels: Labels;
  /** One per bound, and one for what is above the last; not cumulative. */
  readonly counts: readonly number[];
  readonly count: number;
  readonly sum: number;
}
