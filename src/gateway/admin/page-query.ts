import { Type, type Static } from 'typebox';

export const DEFAULT_LIMIT = 20;

/** How lists are paged. */
export const Page = Type.Object(
  {
    after: Type.Optional(Type.String({ description: 'Id of the last item of the page before.' })),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, default: DEFAULT_LIMIT })),
  },
  { additionalProperties: false },
);

export type PageQuery = Static<typeof Page>;
