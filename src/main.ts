#!/usr/bin/env node
import { inspect } from 'node:util';
import { ConfigError } from './config/index.ts';
import { MeridianError } from './core/index.ts';
import { commandHelp, COMMANDS, EXIT, readWords, UsageError } from './commands/index.ts';
import { VERSION } from './version.ts';

function help(): string {
  const width = Math.max(...Object.keys(COMMANDS).map((name) => name.length));
  const lines = Object.entries(COMMANDS).map(([name, { summary }]) => `  ${name.padEnd(width)}  ${summary}`);
  return `meridian ${VERSION}: one OpenAI-compatible endpoint for GPU nodes in many regions\n
usage: meridian COMMAND [OPTIONS]\n
${lines.join('\n')}\n
meridian COMMAND --help tells a command's options; meridian --version tells the version.
Exit codes: 0 done, 1 failed, 2 the command line or a configuration is wrong.\n`;
}

async function main(args: readonly string[]): Promise<number> {
  const [name, ...rest] = args;
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    process.stdout.write(help());
    return name === undefined ? EXIT.usage : EXIT.ok;
  }
  if (name === '--version' || name === '-v') {
    process.stdout.write(`${VERSION}\n`);
    return EXIT.ok;
  }
  const entry = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (entry === undefined) throw new UsageError(`there is no command '${name}'; meridian --help lists them`);
  const command = await entry.load();
  const words = readWords(command, rest);
  if (!words.flag('help')) return command.run(words);
  process.stdout.write(commandHelp(command));
  return EXIT.ok;
}

/** What went wrong, for the person at the terminal: no stack where the message says what to do. */
function report(thrown: unknown): number {
  if (thrown instanceof UsageError || thrown instanceof ConfigError) {
    process.stderr.write(`meridian: ${thrown.message}\n`);
    return EXIT.usage;
  }
  process.stderr.write(`meridian: ${isForPeople(thrown) ? thrown.message : inspect(thrown)}\n`);
  return EXIT.failed;
}

/** Errors whose message says what to do, and those of the system, which name the file or the port. */
function isForPeople(thrown: unknown): thrown is Error {
  return thrown instanceof MeridianError || (thrown instanceof Error && 'syscall' in thrown);
}

process.exitCode = await main(process.argv.slice(2)).catch(report);
