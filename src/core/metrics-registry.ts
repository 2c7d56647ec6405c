import type {
  Counter,
  Family,
  Histogram,
  HistogramOptions,
  HistogramPoint,
  Labels,
  Metrics,
  MetricOptions,
  MetricSnapshot,
  NumberPoint,
  Observe,
} from './metrics.ts';

const CHILDREN_MAX = 2_000;
const OVERFLOW = 'other';
const NAME = /^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$/;

/** All metrics of a process. A name stands for one metric; registering it twice throws. */
export class MetricsRegistry implements Metrics {
  readonly #readers = new Map<string, () => MetricSnapshot>();

  counter<Label extends string = never>(name: string, options: MetricOptions<Label>): Family<Label, Counter> {
    const family = new LabelledChildren(options, (labels) => new NumberCounter(labels));
    const described = { kind: 'counter', name, help: options.help, unit: options.unit } as const;
    this.#register(name, options, () => ({ ...described, points: family.children.map((child) => child.point()) }));
    return family;
  }

  histogram<Label extends string = never>(name: string, options: HistogramOptions<Label>): Family<Label, Histogram> {
    const bounds = checkedBounds(name, options.bounds);
    const family = new LabelledChildren(options, (labels) => new ArrayHistogram(labels, bounds));
    const described = { kind: 'histogram', name, help: options.help, unit: options.unit, bounds } as const;
    this.#register(name, options, () => ({ ...described, points: family.children.map((child) => child.point()) }));
    return family;
  }

  gauge<Label extends string = never>(name: string, options: MetricOptions<Label>, observe: Observe<Label>): void {
    const described = { kind: 'gauge', name, help: options.help, unit: options.unit } as const;
    this.#register(name, options, () => ({ ...described, ...observed(observe, options) }));
  }

  /** Every metric as it stands, in the order of registration. Counts are never reset by it. */
  read(): MetricSnapshot[] {
    return Array.from(this.#readers.values(), (read) => read());
  }

  #register(name: string, options: MetricOptions<string>, read: () => MetricSnapshot): void {
    for (const each of [name, ...(options.labels ?? [])]) {
      if (!NAME.test(each)) throw new TypeError(`Metric ${name}: ${each} is no name for a metric or a label.`);
    }
    if (this.#readers.has(name)) throw new TypeError(`Metric ${name} is registered twice.`);
    this.#readers.set(name, read);
  }
}

/** A label value on the way to a child: looking one up walks one map per label, and builds no key. */
interface Branch<Child> {
  readonly next: Map<string, Branch<Child>>;
  child: Child | null;
}

/** The children of one metric: made when they are first asked for, and bounded in number. */
class LabelledChildren<Label extends string, Child> implements Family<Label, Child> {
  readonly children: Child[] = [];
  readonly #names: readonly Label[];
  readonly #childrenMax: number;
  readonly #make: (labels: Labels) => Child;
  readonly #root: Branch<Child> = { next: new Map(), child: null };

  constructor(options: MetricOptions<Label>, make: (labels: Labels) => Child) {
    this.#names = options.labels ?? [];
    this.#childrenMax = options.childrenMax ?? CHILDREN_MAX;
    this.#make = make;
  }

  with(labels: Labels<Label>): Child {
    let branch: Branch<Child> | undefined = this.#root;
    for (const name of this.#names) branch = branch?.next.get(labels[name]);
    return branch?.child ?? this.#add(labels);
  }

  #add(labels: Labels<Label>): Child {
    const isFull = this.children.length >= this.#childrenMax;
    const valueOf = (name: Label): string => (isFull ? OVERFLOW : labels[name]);
    let branch = this.#root;
    for (const name of this.#names) {
      const next: Branch<Child> = branch.next.get(valueOf(name)) ?? { next: new Map(), child: null };
      branch.next.set(valueOf(name), next);
      branch = next;
    }
    if (branch.child === null) {
      branch.child = this.#make(Object.fromEntries(this.#names.map((name) => [name, valueOf(name)])));
      this.children.push(branch.child);
    }
    return branch.child;
  }
}

class NumberCounter implements Counter {
  readonly #labels: Labels;
  #value = 0;

  constructor(labels: Labels) {
    this.#labels = labels;
  }

  add(n: number): void {
    if (n > 0 && n < Infinity) this.#value += n;
  }

  point(): NumberPoint {
    return { labels: this.#labels, value: this.#value };
  }
}

class ArrayHistogram implements Histogram {
  readonly #labels: Labels;
  readonly #bounds: readonly number[];
  readonly #counts: number[];
  #sum = 0;

  constructor(labels: Labels, bounds: readonly number[]) {
    this.#labels = labels;
    this.#bounds = bounds;
    this.#counts = Array.from({ length: bounds.length + 1 }, () => 0);
  }

  record(value: number): void {
    if (!Number.isFinite(value)) return;
    const bounds = this.#bounds;
    let bucket = 0;
    while (bucket < bounds.length && value > (bounds[bucket] ?? Infinity)) bucket += 1;
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#sum += value;
  }

  point(): HistogramPoint {
    const counts = this.#counts.slice();
    return { labels: this.#labels, counts, count: counts.reduce((sum, n) => sum + n, 0), sum: this.#sum };
  }
}

function observed<Label extends string>(
  observe: Observe<Label>,
  { labels: names = [], childrenMax = CHILDREN_MAX }: MetricOptions<Label>,
): { readonly points: NumberPoint[]; readonly fault: Error | null } {
  const points = new Map<string, NumberPoint>();
  let fault: Error | null = null;
  try {
    observe((labels, value) => {
      const key = JSON.stringify(names.map((name) => labels[name]));
      if (points.has(key) || points.size < childrenMax) points.set(key, { labels: { ...labels }, value });
    });
  } catch (thrown) {
    // One observer at fault must not hide all the other metrics; whoever reads decides what to say about it.
    fault = thrown instanceof Error ? thrown : new Error('An observer threw.', { cause: thrown });
  }
  return { points: [...points.values()], fault };
}

function checkedBounds(name: string, bounds: readonly number[]): readonly number[] {
  const isAscending = bounds.every((bound, i) => Number.isFinite(bound) && bound > (bounds[i - 1] ?? -Infinity));
  if (bounds.length === 0 || !isAscending) throw new RangeError(`Metric ${name}: bounds must be finite and ascending.`);
  return bounds.slice();
}
