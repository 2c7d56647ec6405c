import type { FastifyInstance, FastifyReply } from 'fastify';
import { Type, type Static } from 'typebox';
import { INVOICE_ACTS, INVOICE_FORMATS, invoiceJson, PartySchema, renderInvoice, type Invoice, type InvoiceDesk, type InvoiceFormat } from '../../billing/index.ts';
import type { NoteAct } from './audited.ts';
import { ERRORS } from '../routes/answer-schemas.ts';
import { Dollars, dollars, ExactDollars, OrganizationId } from './money-fields.ts';
import { DEFAULT_LIMIT, listOf, ListPage, listSchema, type ListPageQuery } from './page-query.ts';

export interface InvoiceDeps {
  readonly invoices: InvoiceDesk;
  readonly note: NoteAct;
}

const Month = Type.String({ description: 'UTC month, as 2026-11.' });
const Text = Type.Union([Type.String(), Type.Null()]);
const Time = Type.Union([Type.Integer(), Type.Null()]);
const PartyOrNull = Type.Union([PartySchema, Type.Null()]);
const Format = Type.Optional(Type.Enum([...INVOICE_FORMATS], { description: 'json without it.' }));

const LineObject = Type.Object({
  project: Type.String(),
  project_name: Type.String(),
  model: Type.String(),
  token_class: Type.String({ description: 'input, input_cached or output.' }),
  tier: Type.String(),
  price_id: Text,
  window: Text,
  month: Type.String({ description: 'Month of use; an earlier one than the period for what came too late for its own invoice.' }),
  quantity: Type.Integer({ description: 'Tokens.' }),
  unit_price_nano_usd: Type.Integer({ description: 'Per million tokens.' }),
  amount_usd: ExactDollars,
});

const InvoiceObject = Type.Object({
  object: Type.Literal('invoice'),
  id: Type.String(),
  status: Type.String({ description: 'draft, finalized, paid, void or uncollectible.' }),
  number: Text,
  organization: Type.String(),
  period: Type.String(),
  position: Type.Integer({ description: 'The last event of the ledger that it counts.' }),
  currency: Type.String(),
  created_at: Type.Integer(),
  finalized_at: Time,
  due_at: Time,
  paid_at: Time,
  voided_at: Time,
  seller: PartyOrNull,
  buyer: PartyOrNull,
  lines: Type.Array(LineObject),
  subtotal_usd: ExactDollars,
  rounding_usd: ExactDollars,
  taxes: Type.Array(Type.Object({ name: Type.String(), basis_points: Type.Integer(), amount_usd: ExactDollars })),
  credits_usd: ExactDollars,
  total_usd: ExactDollars,
  amount_due_usd: ExactDollars,
  credit_notes: Type.Array(Type.Object({ id: Type.String(), number: Type.String(), amount_usd: ExactDollars, tax_usd: ExactDollars, credited_usd: ExactDollars, reason: Type.String(), created_at: Type.Integer() }), {
    description: 'amount_usd has tax_usd in it; credited_usd of it became credit, because it was paid already.',
  }),
  footer: Type.String(),
});

const NewInvoiceBody = Type.Object({ organization: OrganizationId, period: Month }, { additionalProperties: false });
const OfMonth = Type.Object({ organization: OrganizationId, period: Month, format: Format }, { additionalProperties: false });
const FormatQuery = Type.Object({ format: Format }, { additionalProperties: false });
const CreditNoteBody = Type.Object({ amount_usd: Dollars, reason: Type.String({ minLength: 1, maxLength: 200 }) }, { additionalProperties: false });
const Params = Type.Object({ id: Type.String() });
const NOTED = { finalize: 'invoice.finalized', pay: 'invoice.paid', void: 'invoice.voided', write_off: 'invoice.written_off' };
const SUMMARIES = { finalize: 'Finalize an invoice', pay: 'Note that an invoice is paid', void: 'Void an invoice', write_off: 'Note that an invoice will not be paid' };

/** Invoices: drafted, previewed, finalized, and what becomes of them. */
export function invoiceRoutes(app: FastifyInstance, { invoices, note }: InvoiceDeps): void {
  const tags = ['billing'];
  const answer = { 200: InvoiceObject, ...ERRORS };
  const create = { summary: 'Draft the invoice of a month', tags, body: NewInvoiceBody, response: { 201: InvoiceObject, ...ERRORS } };
  app.post<{ Body: Static<typeof NewInvoiceBody> }>('/admin/v1/invoices', { schema: create }, async (request, reply) => {
    const invoice = await invoices.create(request.body.organization, request.body.period);
    await note(request, { type: 'invoice.created', organization: invoice.snapshot.organization, resource: invoice.id, detail: request.body });
    void reply.status(201);
    return invoiceJson(invoice);
  });

  const list = { summary: 'List invoices', tags, querystring: ListPage, response: { 200: listSchema(InvoiceObject), ...ERRORS } };
  app.get<{ Querystring: ListPageQuery }>('/admin/v1/invoices', { schema: list }, async (request) => {
    const { limit = DEFAULT_LIMIT, ...query } = request.query;
    return listOf((await invoices.list({ ...query, limit: limit + 1 })).map(invoiceJson), limit);
  });

  const preview = { summary: 'The invoice of a month, or what it would say now', tags, querystring: OfMonth, response: answer };
  app.get<{ Querystring: Static<typeof OfMonth> }>('/admin/v1/invoices/of_month', { schema: preview }, async (request, reply) => {
    const { organization, period, format } = request.query;
    return send(await invoices.ofMonth(organization, period), format, reply);
  });

  const get = { summary: 'Retrieve an invoice', tags, params: Params, querystring: FormatQuery, response: answer };
  app.get<{ Params: Static<typeof Params>; Querystring: Static<typeof FormatQuery> }>('/admin/v1/invoices/:id', { schema: get }, async (request, reply) =>
    send(await invoices.get(request.params.id), request.query.format, reply),
  );

  for (const act of INVOICE_ACTS) {
    const schema = { summary: SUMMARIES[act], tags, params: Params, response: answer };
    app.post<{ Params: Static<typeof Params> }>(`/admin/v1/invoices/:id/${act}`, { schema }, async (request) => {
      const invoice = await invoices.act(request.params.id, act);
      await note(request, { type: NOTED[act], organization: invoice.snapshot.organization, resource: invoice.id, detail: { number: invoice.number } });
      return invoiceJson(invoice);
    });
  }

  const credit = { summary: 'Give a part of an invoice back', tags, params: Params, body: CreditNoteBody, response: { 201: InvoiceObject, ...ERRORS } };
  app.post<{ Params: Static<typeof Params>; Body: Static<typeof CreditNoteBody> }>('/admin/v1/invoices/:id/credit_notes', { schema: credit }, async (request, reply) => {
    const { amount_usd: amount, reason } = request.body;
    const invoice = await invoices.credit(request.params.id, dollars(amount, 'amount_usd'), reason);
    await note(request, { type: 'credit_note.created', organization: invoice.snapshot.organization, resource: invoice.creditNotes.at(-1)?.id ?? null, detail: { invoice: invoice.id, amount_usd: amount, reason } });
    void reply.status(201);
    return invoiceJson(invoice);
  });
}

async function send(invoice: Invoice, format: string | undefined, reply: FastifyReply) {
  if (format === undefined || format === 'json') return invoiceJson(invoice);
  const { contentType, filename, body } = await renderInvoice(invoice, format as InvoiceFormat);
  // The schema describes the JSON; other formats are bytes.
  void reply.headers({ 'content-type': contentType, 'content-disposition': `inline; filename="${filename}"` }).serializer((bytes: unknown) => bytes as string);
  return body as unknown as ReturnType<typeof invoiceJson>;
}
