import type { FastifyInstance } from 'fastify';
import { Type, type Static } from 'typebox';
import type { BillingDesk, Credit, Ledger } from '../../billing/index.ts';
import { epochSeconds, usdText } from '../../core/index.ts';
import type { NoteAct } from './audited.ts';
import { ERRORS } from '../routes/answer-schemas.ts';
import { Currency, Dollars, dollars, ExactDollars, OrganizationId } from './money-fields.ts';
import { DEFAULT_LIMIT, listOf, ListPage, listSchema, type ListPageQuery } from './page-query.ts';

export interface CreditDeps {
  readonly desk: Pick<BillingDesk, 'addCredit'>;
  readonly ledger: Pick<Ledger, 'credits'>;
  readonly note: NoteAct;
}

const NewCreditBody = Type.Object(
  {
    organization: OrganizationId,
    amount_usd: Dollars,
    currency: Currency,
    kind: Type.Optional(Type.Enum(['paid', 'granted'], { description: 'Paid by the customer, or granted to it, which is the default.' })),
    note: Type.Optional(Type.String({ maxLength: 500, description: 'For the books.' })),
  },
  { additionalProperties: false },
);

const CreditObject = Type.Object({
  object: Type.Literal('credit'),
  id: Type.String(),
  organization: Type.String(),
  kind: Type.String(),
  amount_usd: ExactDollars,
  note: Type.String(),
  created_at: Type.Integer(),
});

/** Credit that was paid or granted: added to, never changed. */
export function creditRoutes(app: FastifyInstance, { desk, ledger, note: noteAct }: CreditDeps): void {
  const tags = ['billing'];
  const create = { summary: 'Add credit', tags, body: NewCreditBody, response: { 201: CreditObject, ...ERRORS } };
  app.post<{ Body: Static<typeof NewCreditBody> }>('/admin/v1/credits', { schema: create }, async (request, reply) => {
    const { organization, amount_usd: amount, kind = 'granted', note = '' } = request.body;
    const credit = await desk.addCredit({ organization, kind: kind === 'paid' ? 'paid' : 'granted', amount: dollars(amount, 'amount_usd'), note });
    await noteAct(request, { type: 'credit.created', organization, resource: credit.id, detail: { kind: credit.kind, amount_usd: amount, note } });
    void reply.status(201);
    return creditObject(credit);
  });

  const list = { summary: 'List credits', tags, querystring: ListPage, response: { 200: listSchema(CreditObject), ...ERRORS } };
  app.get<{ Querystring: ListPageQuery }>('/admin/v1/credits', { schema: list }, async (request) => {
    const { limit = DEFAULT_LIMIT, ...query } = request.query;
    return listOf((await ledger.credits({ ...query, limit: limit + 1 })).map(creditObject), limit);
  });
}

function creditObject({ id, organization, kind, amount, note, createdAtMs }: Credit): Static<typeof CreditObject> {
  return { object: 'credit', id, organization, kind, amount_usd: usdText(amount), note, created_at: epochSeconds(createdAtMs) };
}
