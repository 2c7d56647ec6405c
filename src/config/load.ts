import { readFileSync } from 'node:fs';
import type { Static, TSchema } from 'typebox';
import { Default } from 'typebox/value';
import { LineCounter, parseDocument } from 'yaml';
import { camelCase, type CamelCase } from './camel-case.ts';
import { ConfigError, type ConfigFault } from './config-error.ts';
import { demoFaults, gatewayFaults, nodeFaults } from './cross-checks.ts';
import { DemoSchema, type DemoConfig } from './demo-schema.ts';
import { substituteEnvironment, type Environment } from './environment.ts';
import { GatewaySchema, type GatewayConfig } from './gateway-schema.ts';
import { HardwareSchema, type HardwareConfig } from './hardware-schema.ts';
import { NodeSchema, type NodeConfig } from './node-schema.ts';
import { pricesFaults } from './prices-faults.ts';
import { PricesSchema, type PricesConfig } from './prices-schema.ts';
import { schemaFaults, type SchemaFault } from './schema-faults.ts';
import { pathText } from './schema-walk.ts';
import { lineOf } from './yaml-lines.ts';

/** Reads a gateway's YAML file. Throws a `ConfigError` with every fault. */
export function loadGatewayConfig(path: string, env: Environment): GatewayConfig {
  return load(path, env, GatewaySchema, gatewayFaults);
}

/** Reads a node daemon's YAML file. Throws a `ConfigError` with every fault. */
export function loadNodeConfig(path: string, env: Environment): NodeConfig {
  return load(path, env, NodeSchema, nodeFaults);
}

/** Reads the demo's YAML file. Throws a `ConfigError` with every fault. */
export function loadDemoConfig(path: string, env: Environment): DemoConfig {
  return load(path, env, DemoSchema, demoFaults);
}

/** Reads a price book's YAML file. Throws a `ConfigError` with every fault; whether rows overlap is not looked at. */
export function loadPrices(path: string): PricesConfig {
  return load(path, {}, PricesSchema, pricesFaults);
}

/** Reads a catalogue of GPUs and models. Throws a `ConfigError` with every fault. */
export function loadHardware(path: string): HardwareConfig {
  return load(path, {}, HardwareSchema, () => []);
}

/** Everything of a gateway that has a default; what is left has none. */
export function gatewayDefaults(): Omit<GatewayConfig, 'gateway' | 'adminKey' | 'models'> {
  return camelCase(GatewaySchema, Default(GatewaySchema, {})) as Omit<GatewayConfig, 'gateway' | 'adminKey' | 'models'>;
}

/** `crossCheck` sees only what holds to the schema; it finds what one value alone cannot show. */
function load<Schema extends TSchema>(
  file: string,
  env: Environment,
  schema: Schema,
  crossCheck: (settings: Static<Schema>) => readonly SchemaFault[],
): CamelCase<Static<Schema>> {
  const lines = new LineCounter();
  const document = parseDocument(readText(file), { lineCounter: lines, prettyErrors: false });
  const broken = document.errors.map(({ message, pos }) => ({ line: lines.linePos(pos[0]).line, path: '', message }));
  if (broken.length > 0) throw new ConfigError(file, broken);

  const unset = substituteEnvironment(document, env);
  const settings = Default(schema, document.toJS() ?? {});
  const unsetPaths = new Set(unset.map(({ path }) => pathText(path)));
  const wrong = schemaFaults(schema, settings).filter(({ path }) => !unsetPaths.has(pathText(path)));
  const faults = [...unset, ...wrong];
  if (faults.length === 0) faults.push(...crossCheck(settings as Static<Schema>));
  if (faults.length > 0) throw new ConfigError(file, inOrder(faults.map(located)));
  return camelCase(schema, settings) as CamelCase<Static<Schema>>;

  function located({ path, message }: SchemaFault): ConfigFault {
    return { line: lineOf(document, lines, path), path: pathText(path), message };
  }
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    const message = (cause as NodeJS.ErrnoException).code === 'ENOENT' ? 'there is no such file' : 'cannot be read';
    throw new ConfigError(file, [{ line: null, path: '', message }], cause);
  }
}

function inOrder(faults: readonly ConfigFault[]): ConfigFault[] {
  return faults.toSorted((a, b) => (a.line ?? 0) - (b.line ?? 0));
}
