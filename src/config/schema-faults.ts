import type { TSchema } from 'typebox';
import { Settings } from 'typebox/system';
import { Errors } from 'typebox/value';
import { nearestName } from '../core/index.ts';
import { propertySchemas, schemaAt, type ConfigPath } from './schema-walk.ts';

export interface SchemaFault {
  readonly path: ConfigPath;
  readonly message: string;
}

/** More faults than anyone reads; TypeBox stops at 8 by itself. */
const FAULTS_MAX = 1_000;
const SHOWN_CHARS_MAX = 60;

/** Everything in `value` that `schema` forbids: at most one fault for each value. */
export function schemaFaults(schema: TSchema, value: unknown): SchemaFault[] {
  Settings.Set({ maxErrors: FAULTS_MAX });
  const faults = new Map<string, SchemaFault>();
  const add = (path: ConfigPath, message: string): void => {
    const key = JSON.stringify(path);
    if (!faults.has(key)) faults.set(key, { path, message });
  };
  for (const error of Errors(schema, value)) {
    const path = pathIn(value, error.instancePath);
    const at = schemaAt(schema, path);
    switch (error.keyword) {
      case 'required':
        for (const name of error.params.requiredProperties) add([...path, name], `is missing; it must be ${expected(schemaAt(at, [name]))}`);
        break;
      case 'additionalProperties':
        for (const name of error.params.additionalProperties) add([...path, name], unknownKey(name, at));
        break;
      // TypeBox reports an unknown key once more, as a value for which no schema holds.
      case 'boolean':
        break;
      default:
        add(path, `is ${shown(valueAt(value, path), at)}; it must be ${expected(at)}`);
    }
  }
  return [...faults.values()];
}

function unknownKey(name: string, at: TSchema): string {
  const names = Object.keys(propertySchemas(at) ?? {});
  const nearest = nearestName(name, names);
  return nearest === null ? `is not known; known here: ${names.join(', ')}` : `is not known; did you mean ${nearest}?`;
}

/** The keywords of JSON Schema that the fields of a configuration use. */
interface Keywords {
  readonly type?: string;
  readonly enum?: readonly string[];
  readonly default?: unknown;
  readonly minimum?: number;
  readonly exclusiveMinimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly minItems?: number;
  readonly minProperties?: number;
  readonly writeOnly?: boolean;
  readonly 'x-expected'?: string;
}

/** What would be right, in words. */
function expected(schema: TSchema): string {
  const keywords: Keywords = schema;
  const fallback = keywords.default;
  const hasDefault = fallback !== undefined && typeof fallback !== 'object';
  return kindOf(keywords) + (hasDefault ? ` (default ${JSON.stringify(fallback)})` : '');
}

function kindOf(keywords: Keywords): string {
  if (keywords['x-expected'] !== undefined) return keywords['x-expected'];
  if (keywords.enum !== undefined) return `one of ${keywords.enum.join(', ')}`;
  switch (keywords.type) {
    case 'string':
      return (keywords.minLength ?? 0) > 1 ? `text of at least ${keywords.minLength} characters` : 'text';
    case 'integer':
      return `a whole number${range(keywords)}`;
    case 'number':
      return `a number${range(keywords)}`;
    case 'boolean':
      return 'true or false';
    case 'array':
      return keywords.minItems === undefined ? 'a list' : 'a list of at least one';
    default:
      return keywords.minProperties === undefined ? 'a section with keys' : 'a section with at least one key';
  }
}

function range({ minimum, exclusiveMinimum, maximum }: Keywords): string {
  if (exclusiveMinimum !== undefined) return ` above ${exclusiveMinimum}`;
  if (maximum !== undefined) return ` from ${minimum} to ${maximum}`;
  return minimum === undefined ? '' : `, ${minimum} or more`;
}

/** What is wrong, in words, without showing a secret. */
function shown(value: unknown, schema: TSchema): string {
  const { writeOnly }: Keywords = schema;
  if (value === null || value === '') return 'empty';
  if (writeOnly === true) return typeof value === 'string' ? 'too short' : 'not text (put it in quotes)';
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  if (typeof value === 'object') return Object.keys(value).length === 0 ? 'an empty section' : 'a section';
  const text = JSON.stringify(value);
  return text.length > SHOWN_CHARS_MAX ? `${text.slice(0, SHOWN_CHARS_MAX)}…` : text;
}

/** A JSON pointer as steps into `value`, where a list takes numbers. */
function pathIn(value: unknown, pointer: string): ConfigPath {
  const path: (string | number)[] = [];
  let at = value;
  for (const token of pointer.split('/').slice(1)) {
    const key = token.replaceAll('~1', '/').replaceAll('~0', '~');
    const step = Array.isArray(at) ? Number(key) : key;
    path.push(step);
    at = stepInto(at, step);
  }
  return path;
}

function valueAt(value: unknown, path: ConfigPath): unknown {
  return path.reduce(stepInto, value);
}

function stepInto(value: unknown, step: string | number): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string | number, unknown>)[step] : undefined;
}
