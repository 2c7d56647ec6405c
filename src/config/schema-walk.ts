import Type, { type TSchema } from 'typebox';

/** A place in a configuration: keys of sections and indexes of lists, from the top. */
export type ConfigPath = readonly (string | number)[];

/** The properties of a section by name; null when `schema` is not a section. */
export function propertySchemas(schema: TSchema): Readonly<Record<string, TSchema>> | null {
  return Type.IsObject(schema) ? schema.properties : null;
}

/** What every value of a dictionary must be. */
export function valueSchema(schema: TSchema): TSchema {
  return Type.IsRecord(schema) ? (Object.values(schema.patternProperties)[0] ?? {}) : {};
}

/** What every item of a list must be. */
export function itemSchema(schema: TSchema): TSchema {
  return Type.IsArray(schema) ? schema.items : {};
}

/** What must stand at `path`; an empty schema where none is declared. */
export function schemaAt(schema: TSchema, path: ConfigPath): TSchema {
  let at = schema;
  for (const step of path) {
    at = typeof step === 'number' ? itemSchema(at) : (propertySchemas(at)?.[step] ?? valueSchema(at));
  }
  return at;
}

/** A path as a person writes it: `replicas[0].url`. */
export function pathText(path: ConfigPath): string {
  return path.reduce<string>((text, step) => {
    if (typeof step === 'number') return `${text}[${step}]`;
    return text === '' ? step : `${text}.${step}`;
  }, '');
}
