import type { TSchema } from 'typebox';
import { itemSchema, propertySchemas, valueSchema } from './schema-walk.ts';

type CamelKey<Key extends string> = Key extends `${infer Head}_${infer Tail}` ? `${Head}${Capitalize<CamelKey<Tail>>}` : Key;

/** The type of a configuration in code: the YAML's `snake_case` keys in `camelCase`. Names the user chose stay. */
export type CamelCase<Value> = Value extends readonly (infer Item)[]
  ? CamelCase<Item>[]
  : Value extends object
    ? { [Key in keyof Value as Key extends string ? CamelKey<Key> : Key]: CamelCase<Value[Key]> }
    : Value;

/** `value`, which must hold to `schema`, with the schema's own keys in camel case; the keys of dictionaries stay. */
export function camelCase(schema: TSchema, value: unknown): unknown {
  if (Array.isArray(value)) return value.map((item) => camelCase(itemSchema(schema), item));
  if (typeof value !== 'object' || value === null) return value;
  const properties = propertySchemas(schema);
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) =>
      properties === null ? [key, camelCase(valueSchema(schema), inner)] : [camelKey(key), camelCase(properties[key] ?? {}, inner)],
    ),
  );
}

/** `first_token_ms` as `firstTokenMs`. */
export function camelKey(key: string): string {
  return key.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}
