import { Type } from 'typebox';

const OrNull = Type.Union([Type.String(), Type.Null()]);

/** OpenAI's error object. */
export const ErrorObject = Type.Object({
  error: Type.Object({ message: Type.String(), type: Type.String(), param: OrNull, code: OrNull }),
});

/** Every route may end in one of these. */
export const ERRORS = { '4xx': ErrorObject, '5xx': ErrorObject };

export const ModelObject = Type.Object({
  id: Type.String(),
  object: Type.Literal('model'),
  created: Type.Integer(),
  owned_by: Type.String(),
});

export const ModelList = Type.Object({ object: Type.Literal('list'), data: Type.Array(ModelObject) });
