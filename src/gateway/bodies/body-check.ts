import type { TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import type { TLocalizedValidationError } from 'typebox/error';
import { MeridianError } from '../../core/index.ts';
import { ENGINE_SAMPLING, isEngineControl } from './sampling.ts';

export type JsonObject = Readonly<Record<string, unknown>>;

/** Checks a parsed body: every field known, every type right. Throws the error that names the first wrong parameter. */
export type BodyCheck = (body: JsonObject) => void;

export function bodyCheck(schema: TSchema & { readonly properties: object }): BodyCheck {
  const validator = Compile(schema);
  const known = new Set(Object.keys(schema.properties));
  return (body) => {
    for (const name of Object.keys(body)) if (!known.has(name) && !ENGINE_SAMPLING.has(name)) throw unknownParameter(name);
    if (!validator.Check(body)) throw wrongParameter(validator.Errors(body), body);
  };
}

function unknownParameter(name: string): MeridianError {
  const shown = name.length > 100 ? `${name.slice(0, 100)}…` : name;
  if (isEngineControl(name)) {
    const message = `The parameter '${shown}' steers the engine and is set by the gateway; leave it out.`;
    return new MeridianError('unsupported_parameter', { param: shown, message });
  }
  return new MeridianError('unknown_parameter', { param: shown, message: `Unknown parameter: '${shown}'.` });
}

/** The deepest error under the parameter that failed first says most. */
function wrongParameter(errors: readonly TLocalizedValidationError[], body: JsonObject): MeridianError {
  const first = errors[0];
  if (first === undefined) return new MeridianError('invalid_value');
  const top = first.instancePath.split('/')[1] ?? '';
  const related = errors.filter((error) => (error.instancePath.split('/')[1] ?? '') === top);
  const depth = Math.max(...related.map((error) => error.instancePath.length));
  const deepest = related.filter((error) => error.instancePath.length === depth);
  const error = deepest[0] ?? first;
  const param = paramName(error.instancePath);
  const found = describe(valueAt(body, error.instancePath));
  if (error.keyword === 'required') return missing(param, error.params.requiredProperties[0] ?? '');
  const limit = deepest.find(({ keyword }) => keyword in LIMITS);
  if (limit !== undefined) {
    const message = `Invalid value for '${param}': it ${limit.message}, but is ${found}.`;
    return new MeridianError('invalid_value', { param, message });
  }
  const allowed = deepest.flatMap((one) => (one.keyword === 'const' ? [JSON.stringify(one.params.allowedValue)] : []));
  if (allowed.length > 0) {
    const message = `Invalid value for '${param}': expected one of ${allowed.join(', ')}, got ${found}.`;
    return new MeridianError('invalid_value', { param, message });
  }
  const types = deepest.flatMap((one) => (one.keyword === 'type' ? [one.params.type].flat() : []));
  const expected = [...new Set(types)].join(' or ') || error.message;
  return new MeridianError('invalid_type', { param, message: `Invalid type for '${param}': expected ${expected}, got ${found}.` });
}

const LIMITS: Readonly<Record<string, true>> = { minimum: true, maximum: true, minItems: true, maxItems: true, minLength: true };

function missing(parent: string, name: string): MeridianError {
  const param = parent === '' ? name : `${parent}.${name}`;
  return new MeridianError('missing_required_parameter', { param, message: `Missing required parameter: '${param}'.` });
}

/** `/messages/0/role` as `messages[0].role`. */
function paramName(path: string): string {
  return path
    .split('/')
    .slice(1)
    .map((step, i) => (/^\d+$/.test(step) ? `[${step}]` : i === 0 ? step : `.${step}`))
    .join('');
}

function valueAt(body: unknown, path: string): unknown {
  let value = body;
  for (const step of path.split('/').slice(1)) value = Reflect.get(Object(value), step);
  return value;
}

function describe(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return value.length === 0 ? 'an empty array' : 'an array';
  if (typeof value === 'object') return 'an object';
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 60 ? `a ${typeof value}` : text;
}
