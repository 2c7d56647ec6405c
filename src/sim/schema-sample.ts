import { isObject } from './http-json.ts';

const DEPTH_MAX = 8;

/** A small value that fits a JSON schema's types, the same each time: what the simulated model answers when bound to it. */
export function schemaSample(schema: unknown, depth = 0): unknown {
  if (!isObject(schema) || depth > DEPTH_MAX) return null;
  const allowed: unknown = schema['enum'];
  if (Array.isArray(allowed)) return allowed[0] ?? null;
  switch (schema['type']) {
    case 'object': {
      const properties = isObject(schema['properties']) ? schema['properties'] : {};
      return Object.fromEntries(Object.entries(properties).map(([name, part]) => [name, schemaSample(part, depth + 1)]));
    }
    case 'array':
      return [schemaSample(schema['items'], depth + 1)];
    case 'integer':
    case 'number':
      return 42;
    case 'boolean':
      return true;
    case 'string':
      return 'San Francisco café';
    default:
      return null;
  }
}
