import Type, { type TProperties, type TSchema } from 'typebox';

/** The kinds of values a configuration is made of. Units stand in the keys; a field with a default may be left out. */

export function text(description: string, options: { default?: string; minLength?: number } = {}) {
  return Type.String({ description, minLength: 1, ...options });
}

/** Never shown in a message. */
export function secret(description: string, minLength: number) {
  return Type.String({ description, minLength, writeOnly: true });
}

/** `protocols` without their colons, e.g. `['http', 'https']`. */
export function url(description: string, protocols: readonly string[], options: { default?: string } = {}) {
  const pattern = `^(${protocols.join('|')})://[^\\s/]+(/\\S*)?$`;
  return Type.String({ description, pattern, 'x-expected': `a URL with ${protocols.map((name) => `${name}://`).join(' or ')}`, ...options });
}

/** A whole number from 1, or from `minimum`. */
export function count(description: string, options: { default?: number; minimum?: number; maximum?: number } = {}) {
  return Type.Integer({ description, minimum: 1, ...options });
}

/** Node's timers hold 24 days, and fire at once beyond that: a day is more than anything here waits. */
const WAIT_MS_MAX = 86_400_000;

/** A whole number of milliseconds, a day at most; zero means at once. */
export function milliseconds(description: string, defaultMs: number) {
  return Type.Integer({ description, minimum: 0, maximum: WAIT_MS_MAX, default: defaultMs });
}

/** Any number from `minimum`. */
export function quantity(
  description: string,
  options: { default?: number; minimum?: number; exclusiveMinimum?: number; maximum?: number } = {},
) {
  return Type.Number({ description, ...options });
}

export function flag(description: string, options: { default?: boolean } = {}) {
  return Type.Boolean({ description, ...options });
}

export function choice<const Values extends string[]>(description: string, values: readonly [...Values], fallback: Values[number]) {
  return Type.Enum(values, { description, default: fallback });
}

export function port(description: string, fallback: number) {
  return Type.Integer({ description, minimum: 0, maximum: 65_535, default: fallback });
}

/** A section that may be left out: then every field takes its default. */
export function section<Properties extends TProperties>(description: string, properties: Properties) {
  return Type.Object(properties, { description, additionalProperties: false, default: {} });
}

/** A section that must be written, because some of its fields have no default. */
export function requiredSection<Properties extends TProperties>(description: string, properties: Properties) {
  return Type.Object(properties, { description, additionalProperties: false });
}

/** Names the user chooses, each with a value of the same kind. */
export function dictionary<Value extends TSchema>(description: string, value: Value, options: { default?: object; minProperties?: number } = {}) {
  return Type.Record(Type.String(), value, { description, ...options });
}

export function list<Item extends TSchema>(description: string, item: Item, options: { default?: unknown[]; minItems?: number } = {}) {
  return Type.Array(item, { description, ...options });
}
