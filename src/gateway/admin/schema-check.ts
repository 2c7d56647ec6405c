import type { FastifySchemaCompiler } from 'fastify';
import type { TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import { wrongParameter } from '../bodies/wrong-parameter.ts';

/**
 * Checks what administrators send. The texts of a query become what the schema says, and get its defaults; bodies are
 * taken at their word. Lists in a query come as `name[]=x`, as `name=x` once or more often, or as both. Faults have the shape and the words of the public API's.
 */
export const schemaCheck: FastifySchemaCompiler<TSchema> = ({ schema, httpPart }) => {
  const validator = Compile(schema);
  return (data: unknown) => {
    const value = httpPart === 'body' ? data : validator.Default(httpPart === 'querystring' ? typed(schema, Object(data)) : { ...Object(data) });
    return validator.Check(value) ? { value } : { error: wrongParameter(validator.Errors(value), value) };
  };
};

/** The query with its texts as what the schema says; a text that is not that stays as it is, and is refused. */
function typed(schema: TSchema, query: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const properties = Object(Reflect.get(schema, 'properties')) as Readonly<Record<string, object>>;
  const value: Record<string, unknown> = {};
  for (const [key, given] of Object.entries(query)) {
    const name = key.endsWith('[]') ? key.slice(0, -2) : key;
    const type: unknown = Reflect.get(Object(properties[name]), 'type');
    if (type === 'array') value[name] = [value[name] ?? [], given].flat();
    else value[key] = typeof given === 'string' ? parsed(given, type) : given;
  }
  return value;
}

function parsed(text: string, type: unknown): unknown {
  if (type === 'integer' && /^-?\d{1,15}$/.test(text)) return Number(text);
  if (type === 'number' && /^-?\d+(\.\d+)?$/.test(text)) return Number(text);
  if (type === 'boolean' && (text === 'true' || text === 'false')) return text === 'true';
  return text;
}
