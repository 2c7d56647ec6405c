/** One thing that is wrong with a configuration file. */
export interface ConfigFault {
  /** Where in the file, from 1; null when it is the file itself. */
  readonly line: number | null;
  /** Which value, e.g. `replicas[0].url`; empty for the whole file. */
  readonly path: string;
  /** What is wrong and what would be right. */
  readonly message: string;
}

/** A configuration that cannot be used, with every fault in it; the message has one line for each. */
export class ConfigError extends Error {
  readonly file: string;
  readonly faults: readonly ConfigFault[];

  constructor(file: string, faults: readonly ConfigFault[], cause?: unknown) {
    super(faults.map((fault) => faultLine(file, fault)).join('\n'), cause === undefined ? undefined : { cause });
    this.name = 'ConfigError';
    this.file = file;
    this.faults = faults;
  }
}

function faultLine(file: string, { line, path, message }: ConfigFault): string {
  const place = line === null ? file : `${file}:${line}`;
  return path === '' ? `${place}: ${message}` : `${place}: ${path} ${message}`;
}
