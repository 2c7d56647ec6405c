import { Type, type Static, type TSchema } from 'typebox';
import { OrganizationId } from './money-fields.ts';

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

/** A page of what organizations have, or one of them. */
export const ListPage = Type.Object({ ...Page.properties, organization: Type.Optional(OrganizationId) }, { additionalProperties: false });

export type ListPageQuery = Static<typeof ListPage>;

const Id = Type.Union([Type.String(), Type.Null()]);

/** A list in OpenAI's shape. */
export function listSchema<Item extends TSchema>(item: Item) {
  return Type.Object({ object: Type.Literal('list'), data: Type.Array(item), first_id: Id, last_id: Id, has_more: Type.Boolean() });
}

/** The page of at most `limit` items, of which one more was asked for. */
export function listOf<Item extends { readonly id: string }>(items: readonly Item[], limit: number) {
  const data = items.slice(0, limit);
  return { object: 'list' as const, data, first_id: data[0]?.id ?? null, last_id: data.at(-1)?.id ?? null, has_more: items.length > limit };
}

/** A page as a store has it. */
export function pageObject<Item, Shown extends { readonly id: string }>({ items, hasMore }: { readonly items: readonly Item[]; readonly hasMore: boolean }, show: (item: Item) => Shown) {
  return { ...listOf(items.map(show), items.length), has_more: hasMore };
}
