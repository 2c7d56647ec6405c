import { Type, type Static } from 'typebox';

/** How lists are paged. */
export const Page = Type.Object(
  {
    after: Type.Optional(Type.String({ description: 'Id of the last item of the page before.' })),
    limit: Type.Integer({ minimum: 1, maximum: 1000, default: 20 }),
  },
  { additionalProperties: false },
);

export type PageQuery = Static<typeof Page>;
