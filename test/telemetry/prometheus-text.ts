export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface PrometheusText {
  readonly samples: readonly Sample[];
  /** By metric name. */
  readonly types: ReadonlyMap<string, string>;
  readonly help: ReadonlyMap<string, string>;
}

const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/;
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"(?:,|$)/y;
const META = /^# (?:(TYPE|HELP) (\S+) (.*)|.*)$/;

/** Reads Prometheus' text format, strictly: a line that is not of it throws. */
export function parsePrometheus(text: string): PrometheusText {
  if (!text.endsWith('\n')) throw new Error('the last line does not end');
  const samples: Sample[] = [];
  const types = new Map<string, string>();
  const help = new Map<string, string>();
  for (const line of text.slice(0, -1).split('\n')) {
    const meta = META.exec(line);
    if (meta !== null) {
      const [, kind, name = '', rest = ''] = meta;
      const into = kind === 'TYPE' ? types : kind === 'HELP' ? help : null;
      if (into?.has(name) === true) throw new Error(`${kind} of ${name} is there twice`);
      into?.set(name, rest);
      continue;
    }
    const sample = SAMPLE.exec(line);
    if (sample === null) throw new Error(`not a line of the format: ${line}`);
    const [, name = '', labels = '', value = ''] = sample;
    samples.push({ name, labels: parseLabels(labels), value: value === '+Inf' ? Infinity : Number(value) });
  }
  return { samples, types, help };
}

function parseLabels(text: string): Record<string, string> {
  const labels: Record<string, string> = {};
  LABEL.lastIndex = 0;
  while (LABEL.lastIndex < text.length) {
    const match = LABEL.exec(text);
    if (match === null) throw new Error(`not labels: ${text}`);
    const [, name = '', value = ''] = match;
    labels[name] = value.replace(/\\(.)/g, (_, escaped: string) => (escaped === 'n' ? '\n' : escaped));
  }
  return labels;
}
