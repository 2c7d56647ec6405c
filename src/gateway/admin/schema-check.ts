import type { FastifySchemaCompiler } from 'fastify';
import type { TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import { wrongParameter } from '../bodies/wrong-parameter.ts';

/**
 * Checks what administrators send. The texts of a query become what the schema says, and get its defaults; bodies are
 * taken at their word. Faults have the shape and the words of the public API's.
 */
export const schemaCheck: FastifySchemaCompiler<TSchema> = ({ schema, httpPart }) => {
  const validator = Compile(schema);
  return (data: unknown) => {
    const value = httpPart === 'body' ? data : validator.Default(validator.Convert({ ...Object(data) }));
    return validator.Check(value) ? { value } : { error: wrongParameter(validator.Errors(value), value) };
  };
};
