import { Type } from 'typebox';
import { optional, SHARED } from './sampling.ts';

const TokenIds = Type.Array(Type.Integer({ minimum: 0 }));

/** Body of `POST /v1/embeddings`. */
export const EmbeddingBody = Type.Object(
  {
    model: SHARED.model,
    input: Type.Union([Type.String(), Type.Array(Type.String()), TokenIds, Type.Array(TokenIds)]),
    encoding_format: optional(Type.Union([Type.Literal('float'), Type.Literal('base64')])),
    dimensions: optional(Type.Integer({ minimum: 1 })),
    user: optional(Type.String()),
  },
  { $id: 'EmbeddingBody' },
);
