import type { FastifyInstance } from 'fastify';
import { Type, type Static } from 'typebox';
import { PartySchema, TaxRateSchema, type Balance, type BillingDesk, type Customer, type Ledger, type Party, type TaxRate } from '../../billing/index.ts';
import { usdText, type FemtoUsd } from '../../core/index.ts';
import type { NoteAct } from './audited.ts';
import { ERRORS } from '../routes/answer-schemas.ts';
import { ExactDollars, OrganizationId } from './money-fields.ts';

export interface CustomerDeps {
  readonly desk: Pick<BillingDesk, 'putCustomer' | 'balance' | 'held'>;
  readonly ledger: Pick<Ledger, 'customer'>;
  readonly note: NoteAct;
}

const Terms = Type.Enum(['postpaid', 'prepaid'], { description: 'Invoiced after the month, or served as long as there is credit.' });

const CustomerBody = Type.Object(
  {
    terms: Type.Optional(Terms),
    buyer: Type.Optional(Type.Union([PartySchema, Type.Null()])),
    taxes: Type.Optional(Type.Array(TaxRateSchema, { maxItems: 5 })),
  },
  { additionalProperties: false },
);

const CustomerObject = Type.Object({
  object: Type.Literal('billing_customer'),
  organization: Type.String(),
  terms: Terms,
  buyer: Type.Union([PartySchema, Type.Null()]),
  taxes: Type.Array(TaxRateSchema),
  credit_usd: ExactDollars,
  granted_credit_usd: ExactDollars,
  paid_credit_usd: ExactDollars,
  unbilled_usd: Type.String({ description: 'Used, and on no finalized invoice.' }),
  due_usd: Type.String({ description: 'On finalized invoices, and not paid.' }),
  held_usd: Type.String({ description: 'Set aside for requests under way, of one that pays ahead.' }),
  available_usd: Type.String({ description: 'Credit less what is used and not invoiced.' }),
});

const Params = Type.Object({ organization: OrganizationId });

/** How an organization is charged, and what it has and owes. */
export function customerRoutes(app: FastifyInstance, { desk, ledger, note }: CustomerDeps): void {
  const tags = ['billing'];
  const path = '/admin/v1/customers/:organization';
  const get = { summary: 'How an organization is charged, and what it has and owes', tags, params: Params, response: { 200: CustomerObject, ...ERRORS } };
  app.get<{ Params: Static<typeof Params> }>(path, { schema: get }, async (request) => {
    const { organization } = request.params;
    return customerObject(await ledger.customer(organization), await desk.balance(organization), desk.held(organization));
  });

  const put = { summary: 'Say how an organization is charged', tags, params: Params, body: CustomerBody, response: { 200: CustomerObject, ...ERRORS } };
  app.post<{ Params: Static<typeof Params>; Body: Static<typeof CustomerBody> }>(path, { schema: put }, async (request) => {
    const { organization } = request.params;
    const before = await ledger.customer(organization);
    const { terms = before.terms, buyer = before.buyer, taxes = before.taxes } = request.body;
    const customer = await desk.putCustomer({ organization, terms: terms === 'prepaid' ? 'prepaid' : 'postpaid', buyer, taxes });
    await note(request, { type: 'customer.updated', organization, resource: organization, detail: { ...request.body } });
    return customerObject(customer, await desk.balance(organization), desk.held(organization));
  });
}

function customerObject({ organization, terms, buyer, taxes }: Customer, balance: Balance, held: FemtoUsd): Static<typeof CustomerObject> {
  return {
    object: 'billing_customer',
    organization,
    terms,
    buyer: buyer as Party | null,
    taxes: [...(taxes as readonly TaxRate[])],
    credit_usd: usdText(balance.credit),
    granted_credit_usd: usdText(balance.granted),
    paid_credit_usd: usdText(balance.paid),
    unbilled_usd: usdText(balance.unbilled),
    due_usd: usdText(balance.due),
    held_usd: usdText(held),
    available_usd: usdText(balance.available),
  };
}
