import type { FastifyInstance } from 'fastify';
import { Type, type Static } from 'typebox';
import type { PriceDesk, PriceRow, PriceTier } from '../../billing/index.ts';
import { instantMs, instantText, MeridianError, nanoUsdPerMTok } from '../../core/index.ts';
import { ERRORS } from '../routes/answer-schemas.ts';
import type { NoteAct } from './audited.ts';
import { DEFAULT_LIMIT, listOf, listSchema, Page, type PageQuery } from './page-query.ts';

export interface PriceDeps {
  readonly priceDesk: PriceDesk;
  readonly note: NoteAct;
}

const Tier = Type.Enum(['standard', 'priority', 'batch']);
const Price = (what: string) => Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER, description: `${what}, in nano-dollars per million tokens: $0.07 is 70000000.` });
const PRICES = { input: Price('A prompt token that was not cached'), input_cached: Price('A prompt token that was cached'), output: Price('A token of the answer') };

const NewPriceBody = Type.Object(
  {
    model: Type.String({ minLength: 1, maxLength: 200 }),
    tier: Type.Optional(Tier),
    effective_from: Type.String({ description: 'An instant with its zone, not past: 2026-12-01T00:00:00Z.' }),
    currency: Type.Optional(Type.Enum(['usd'])),
    ...PRICES,
  },
  { additionalProperties: false },
);

const PriceObject = Type.Object({
  object: Type.Literal('price'),
  id: Type.String(),
  model: Type.String(),
  tier: Tier,
  effective_from: Type.String(),
  effective_to: Type.Union([Type.String(), Type.Null()]),
  window: Type.Union([Type.String(), Type.Null()], { description: "Window of the row's calendar in which it holds; null: outside of all, or at all hours." }),
  ...PRICES,
});

/** The price book: rows are added, and never changed or taken out. */
export function priceRoutes(app: FastifyInstance, { priceDesk, note }: PriceDeps): void {
  const tags = ['billing'];
  const create = { summary: 'Add a price, from an instant on and at all hours', tags, body: NewPriceBody, response: { 201: PriceObject, ...ERRORS } };
  app.post<{ Body: Static<typeof NewPriceBody> }>('/admin/v1/prices', { schema: create }, async (request, reply) => {
    const { model, tier = 'standard', effective_from: from, input, input_cached: inputCached, output } = request.body;
    const effectiveFromMs = instantMs(from);
    if (effectiveFromMs === null) {
      throw new MeridianError('invalid_value', { param: 'effective_from', message: `Invalid value for 'effective_from': expected an instant with its zone, as "2026-12-01T00:00:00Z", got "${from.slice(0, 60)}".` });
    }
    const prices = { input: nanoUsdPerMTok(input), inputCached: nanoUsdPerMTok(inputCached), output: nanoUsdPerMTok(output) };
    const row = await priceDesk.add({ model, tier: tier as PriceTier, effectiveFromMs, ...prices });
    await note(request, { type: 'price.created', organization: null, resource: row.id, detail: request.body });
    void reply.status(201);
    return priceObject(row);
  });

  const list = { summary: 'List prices', tags, querystring: Page, response: { 200: listSchema(PriceObject), ...ERRORS } };
  app.get<{ Querystring: PageQuery }>('/admin/v1/prices', { schema: list }, async (request) => {
    const { after, limit = DEFAULT_LIMIT } = request.query;
    const rows = (await priceDesk.rows()).map(priceObject);
    const at = after === undefined ? -1 : rows.findIndex(({ id }) => id === after);
    if (after !== undefined && at === -1) throw new MeridianError('invalid_value', { param: 'after', message: `There is no price ${after}.` });
    return listOf(rows.slice(at + 1, at + 2 + limit), limit);
  });
}

function priceObject({ id, model, tier, effectiveFromMs, effectiveToMs, hours, input, inputCached, output }: PriceRow): Static<typeof PriceObject> {
  return {
    object: 'price',
    id,
    model,
    tier,
    effective_from: instantText(effectiveFromMs),
    effective_to: effectiveToMs === null ? null : instantText(effectiveToMs),
    window: hours?.window ?? null,
    input: Number(input),
    input_cached: Number(inputCached),
    output: Number(output),
  };
}
