import type { TLocalizedValidationError } from 'typebox/error';
import { MeridianError } from '../../core/index.ts';

/** What is wrong with a value that a schema refused. The deepest error under the parameter that failed first says most. */
export function wrongParameter(errors: readonly TLocalizedValidationError[], body: unknown): MeridianError {
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
  // What a schema does not name is checked against a schema that refuses everything.
  if (error.keyword === 'boolean') return unknown(param);
  const limit = deepest.find(({ keyword }) => keyword in LIMITS);
  if (limit !== undefined) {
    const message = `Invalid value for '${param}': it ${limit.message}, but is ${found}.`;
    return new MeridianError('invalid_value', { param, message });
  }
  const allowed = deepest.flatMap(allowedBy).map((value) => JSON.stringify(value));
  if (allowed.length > 0) {
    const message = `Invalid value for '${param}': expected one of ${allowed.join(', ')}, got ${found}.`;
    return new MeridianError('invalid_value', { param, message });
  }
  const types = deepest.flatMap((one) => (one.keyword === 'type' ? [one.params.type].flat() : []));
  const expected = [...new Set(types)].join(' or ') || error.message;
  return new MeridianError('invalid_type', { param, message: `Invalid type for '${param}': expected ${expected}, got ${found}.` });
}

const LIMITS: Readonly<Record<string, true>> = { minimum: true, maximum: true, minItems: true, maxItems: true, minLength: true, maxLength: true };

/** The values that this error says are the only right ones. */
function allowedBy(error: TLocalizedValidationError): readonly unknown[] {
  if (error.keyword === 'const') return [error.params.allowedValue];
  return error.keyword === 'enum' ? error.params.allowedValues : [];
}

function missing(parent: string, name: string): MeridianError {
  const param = parent === '' ? name : `${parent}.${name}`;
  return new MeridianError('missing_required_parameter', { param, message: `Missing required parameter: '${param}'.` });
}

function unknown(param: string): MeridianError {
  return new MeridianError('unknown_parameter', { param, message: `Unknown parameter: '${param}'.` });
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
