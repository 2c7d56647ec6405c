/** One sample of a scrape. */
export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

const SAMPLE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? +(\S+)/;
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g;

/** The samples of the wanted metrics in a scrape (Prometheus text format 0.0.4), by name; counters also by their name without `_total`. */
export function readSamples(text: string, wanted: ReadonlySet<string>): ReadonlyMap<string, readonly Sample[]> {
  const found = new Map<string, Sample[]>();
  for (const line of text.split('\n')) {
    const [, full = '', labels = '', value = ''] = SAMPLE.exec(line) ?? [];
    const name = wanted.has(full) ? full : full.replace(/_total$/, '');
    if (!wanted.has(name)) continue;
    const sample = { labels: Object.fromEntries([...labels.matchAll(LABEL)].map(([, key = '', text_ = '']) => [key, text_])), value: Number(value) };
    if (Number.isFinite(sample.value)) found.set(name, [...(found.get(name) ?? []), sample]);
  }
  return found;
}

/** Over all label sets; null when there is none. */
export function sumOfSamples(samples: readonly Sample[] | undefined): number | null {
  return samples === undefined ? null : samples.reduce((sum, { value }) => sum + value, 0);
}
