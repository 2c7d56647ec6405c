import { Type } from 'typebox';
import { optional, SHARED } from './sampling.ts';

const TokenIds = Type.Array(Type.Integer({ minimum: 0 }));

/** Body of `POST /v1/completions`. */
export const CompletionBody = Type.Object(
  {
    ...SHARED,
    prompt: Type.Union([Type.String(), Type.Array(Type.String()), TokenIds, Type.Array(TokenIds)]),
    best_of: optional(Type.Integer({ minimum: 1, maximum: 20 })),
    echo: optional(Type.Boolean()),
    logprobs: optional(Type.Integer({ minimum: 0, maximum: 5 })),
    suffix: optional(Type.String()),
  },
  { $id: 'CompletionBody', description: 'Further sampling parameters of the engines are passed on as they are.' },
);
