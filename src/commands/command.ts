import { parseArgs, type ParseArgsConfig, type ParseArgsOptionsConfig } from 'node:util';

/** One command of the command line. */
export interface Command {
  readonly name: string;
  readonly summary: string;
  /** What follows the name, e.g. `check FILE`. */
  readonly usage: string;
  /** Options with a line of help each, by name. */
  readonly options: Readonly<Record<string, CommandOption>>;
  /** Resolves with the exit code. Throws UsageError on wrong words. */
  run(words: CommandWords): Promise<number>;
}

export interface CommandOption {
  readonly type: 'string' | 'boolean';
  readonly help: string;
  /** What stands for the value in the help, e.g. `PORT`. */
  readonly value?: string;
  readonly default?: string;
}

export interface CommandWords {
  readonly positionals: readonly string[];
  text(name: string): string | undefined;
  /** The option as a port number; undefined when absent. Throws UsageError. */
  port(name: string): number | undefined;
  /** The option as a positive number; undefined when absent. Throws UsageError. */
  number(name: string): number | undefined;
  flag(name: string): boolean;
}

export const EXIT = { ok: 0, failed: 1, usage: 2 } as const;

/** The command line is wrong: the message says how, and the exit code is 2. */
export class UsageError extends Error {}

export function readWords(command: Command, args: readonly string[]): CommandWords {
  const options: ParseArgsOptionsConfig = { help: { type: 'boolean', short: 'h' } };
  for (const [name, option] of Object.entries(command.options)) options[name] = { type: option.type };
  const config = { args: [...args], options, allowPositionals: true, strict: true } satisfies ParseArgsConfig;
  let parsed: { values: Readonly<Record<string, unknown>>; positionals: string[] };
  try {
    parsed = parseArgs(config);
  } catch (error) {
    // Node goes on to explain how to pass what looks like an option; nobody means that here.
    throw new UsageError(error instanceof Error ? String(error.message.split('. ')[0]) : String(error));
  }
  const text = (name: string): string | undefined => {
    const value = parsed.values[name] ?? command.options[name]?.default;
    return typeof value === 'string' ? value : undefined;
  };
  const numeric = (name: string, isRight: (value: number) => boolean, what: string): number | undefined => {
    const given = text(name);
    if (given === undefined) return undefined;
    const value = Number(given);
    if (given.trim() === '' || !isRight(value)) throw new UsageError(`--${name} takes ${what}, not '${given}'`);
    return value;
  };
  return {
    positionals: parsed.positionals,
    text,
    port: (name) => numeric(name, (value) => Number.isInteger(value) && value >= 0 && value <= 65_535, 'a port from 0 to 65535'),
    number: (name) => numeric(name, (value) => Number.isFinite(value) && value > 0, 'a positive number'),
    flag: (name) => parsed.values[name] === true,
  };
}

/** The help of one command. */
export function commandHelp(command: Command): string {
  const rows = Object.entries(command.options).map(([name, option]): [string, string] => [
    `--${name}${option.type === 'string' ? ` ${option.value ?? 'VALUE'}` : ''}`,
    option.help + (option.default === undefined ? '' : ` (default: ${option.default})`),
  ]);
  rows.push(['--help', 'Show this.']);
  const width = Math.max(...rows.map(([left]) => left.length));
  const lines = rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`);
  return `meridian ${command.name}: ${command.summary}\n\nusage: meridian ${command.name} ${command.usage}\n\n${lines.join('\n')}\n`;
}
