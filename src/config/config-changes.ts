import { isDeepStrictEqual } from 'node:util';
import type { TSchema } from 'typebox';
import { camelKey } from './camel-case.ts';
import { ConfigError } from './config-error.ts';
import { gatewayFaults } from './cross-checks.ts';
import { GatewaySchema, type GatewayConfig, type GatewaySettings } from './gateway-schema.ts';
import { itemSchema, pathText, propertySchemas, valueSchema } from './schema-walk.ts';

/** What a file says anew, beside what is gone by so far. */
export interface ConfigChanges {
  /** What was gone by, with the changes that were taken. */
  readonly config: GatewayConfig;
  /** Paths of values that are others now, as the file spells them. A list is one value; so is an entry of a dictionary that came or went. */
  readonly taken: readonly string[];
  readonly left: readonly string[];
}

type Values = Readonly<Record<string, unknown>>;

/**
 * Compares two configurations value by value, and takes over those whose path `isTaken` says. Throws a `ConfigError` for
 * `file` when what comes of it contradicts itself: a value that was taken may not fit one that was left.
 */
export function takeChanges(before: GatewayConfig, after: GatewayConfig, isTaken: (path: string) => boolean, file: string): ConfigChanges {
  const taken: string[] = [];
  const left: string[] = [];
  const config = merged(GatewaySchema, before, after, []) as GatewayConfig;
  const faults = gatewayFaults(settingsOf(GatewaySchema, config) as GatewaySettings);
  if (faults.length > 0 && left.length > 0) {
    throw new ConfigError(file, faults.map(({ path, message }) => ({ line: null, path: pathText(path), message: `${message}. Without a restart this holds beside what needs one: ${left.join(', ')}` })));
  }
  return { config, taken, left };

  function merged(schema: TSchema, was: unknown, is: unknown, path: readonly string[]): unknown {
    if (!isValues(was) || !isValues(is)) return chosen(was, is, path);
    const out: Record<string, unknown> = { ...was };
    for (const [key, name, inner] of namesOf(schema, was, is)) {
      const value = merged(inner, was[key], is[key], [...path, name]);
      if (value === undefined) delete out[key];
      else out[key] = value;
    }
    return out;
  }

  function chosen(was: unknown, is: unknown, path: readonly string[]): unknown {
    if (isDeepStrictEqual(was, is)) return was;
    const name = pathText(path);
    (isTaken(name) ? taken : left).push(name);
    return isTaken(name) ? is : was;
  }
}

/** Key in code, name in the file, and schema, of what stands in a section or a dictionary. */
function namesOf(schema: TSchema, was: Values, is: Values): readonly (readonly [key: string, name: string, schema: TSchema])[] {
  const properties = propertySchemas(schema);
  if (properties !== null) return Object.entries(properties).map(([name, inner]) => [camelKey(name), name, inner]);
  return [...new Set([...Object.keys(was), ...Object.keys(is)])].map((key) => [key, key, valueSchema(schema)]);
}

/** A configuration as its file spells it. */
function settingsOf(schema: TSchema, value: unknown): unknown {
  if (Array.isArray(value)) return value.map((item) => settingsOf(itemSchema(schema), item));
  if (!isValues(value)) return value;
  const entries = namesOf(schema, value, value).filter(([key]) => value[key] !== undefined);
  return Object.fromEntries(entries.map(([key, name, inner]) => [name, settingsOf(inner, value[key])]));
}

function isValues(value: unknown): value is Values {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
