import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { ConfigError, editorSchemas, loadDemoConfig, loadGatewayConfig, loadNodeConfig } from '../config/index.ts';
import { EXIT, UsageError, type Command, type CommandWords } from './command.ts';

/** Checks configuration files, and writes the JSON schemas that editors complete them by. */
export const configCommand: Command = {
  name: 'config',
  summary: 'check a configuration, or write its JSON schemas',
  usage: 'check FILE | schema [--write]',
  options: { write: { type: 'boolean', help: 'Write the schemas to config/ instead of checking that they are up to date.' } },
  run(words) {
    const [what, ...rest] = words.positionals;
    if (what === 'check' && rest.length === 1) return Promise.resolve(check(String(rest[0])));
    if (what === 'schema' && rest.length === 0) return Promise.resolve(schema(words));
    throw new UsageError('say `check FILE` or `schema`');
  },
};

function check(path: string): number {
  try {
    loaderOf(path)(path, process.env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return EXIT.usage;
  }
  process.stdout.write(`${path}: no faults\n`);
  return EXIT.ok;
}

/** Which kind of configuration a file is, by the section only that kind has. */
function loaderOf(path: string): (path: string, env: NodeJS.ProcessEnv) => object {
  if (!existsSync(path)) throw new UsageError(`there is no file ${path}`);
  let sections: unknown;
  try {
    sections = parse(readFileSync(path, 'utf8'));
  } catch {
    return loadGatewayConfig;
  }
  if (Object.hasOwn(Object(sections), 'demo')) return loadDemoConfig;
  return Object.hasOwn(Object(sections), 'node') ? loadNodeConfig : loadGatewayConfig;
}

function schema(words: CommandWords): number {
  let stale = 0;
  for (const { file, text } of editorSchemas()) {
    const path = join('config', file);
    if (existsSync(path) && readFileSync(path, 'utf8') === text) continue;
    if (words.flag('write')) writeFileSync(path, text);
    else stale += 1;
    process.stdout.write(`${path} ${words.flag('write') ? 'written' : 'is out of date'}\n`);
  }
  return stale === 0 ? EXIT.ok : EXIT.failed;
}
