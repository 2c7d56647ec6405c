import { Type } from 'typebox';

const OrNull = Type.Union([Type.String(), Type.Null()]);

/** OpenAI's error object; each server knows it by its id. */
export const ErrorObject = Type.Object(
  { error: Type.Object({ message: Type.String(), type: Type.String(), param: OrNull, code: OrNull }) },
  { $id: 'Error', description: 'An error, in the shape of the OpenAI API.' },
);

/** Every route may end in one of these. */
export const ERRORS = { '4xx': Type.Ref('Error'), '5xx': Type.Ref('Error') };

export const ModelObject = Type.Object({
  id: Type.String(),
  object: Type.Literal('model'),
  created: Type.Integer(),
  owned_by: Type.String(),
});

export const ModelList = Type.Object({ object: Type.Literal('list'), data: Type.Array(ModelObject) });

/** What an engine answers is passed on, and not described here in full. */
export const Answer = Type.Unknown({
  description: 'The answer in the shape of the OpenAI API; with `stream: true`, as server-sent events that end in `data: [DONE]`.',
});
