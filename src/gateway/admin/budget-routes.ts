import type { FastifyInstance } from 'fastify';
import { Type, type Static } from 'typebox';
import type { BillingDesk, BudgetScope, BudgetState, Ledger } from '../../billing/index.ts';
import { epochSeconds, MeridianError, usdText, type Clock } from '../../core/index.ts';
import type { NoteAct } from './audited.ts';
import { ERRORS } from '../routes/answer-schemas.ts';
import { Currency, Dollars, dollars, ExactDollars, OrganizationId } from './money-fields.ts';
import { DEFAULT_LIMIT, listOf, ListPage, listSchema, type ListPageQuery } from './page-query.ts';

export interface BudgetDeps {
  readonly desk: Pick<BillingDesk, 'addBudget' | 'archiveBudget' | 'budget'>;
  readonly ledger: Pick<Ledger, 'budgets'>;
  readonly clock: Clock;
  readonly note: NoteAct;
}

const WARN_PERCENTS = [80, 100];
const Scope = Type.Enum(['organization', 'project', 'key'], { description: 'Whose spending it bounds.' });
const Period = Type.Enum(['month', 'total'], { description: 'Each month in UTC, or all time.' });

const NewBudgetBody = Type.Object(
  {
    organization: OrganizationId,
    scope: Type.Optional(Scope),
    scope_id: Type.Optional(Type.String({ minLength: 1, maxLength: 64, description: 'Id of the project or key; the organization without it.' })),
    period: Type.Optional(Period),
    amount_usd: Dollars,
    currency: Currency,
    hard: Type.Optional(Type.Boolean({ description: 'Nothing is served beyond it; the default. A soft one only warns.' })),
    warn_percents: Type.Optional(
      Type.Array(Type.Integer({ minimum: 1, maximum: 1_000 }), { maxItems: 20, description: 'Percentages at which it is said to be reached; 80 and 100 without it.' }),
    ),
  },
  { additionalProperties: false },
);

const BudgetObject = Type.Object({
  object: Type.Literal('budget'),
  id: Type.String(),
  organization: Type.String(),
  scope: Type.String(),
  scope_id: Type.String(),
  period: Type.String(),
  amount_usd: ExactDollars,
  spent_usd: ExactDollars,
  hard: Type.Boolean(),
  warn_percents: Type.Array(Type.Integer()),
  created_at: Type.Integer(),
  archived_at: Type.Union([Type.Integer(), Type.Null()]),
});

const Params = Type.Object({ id: Type.String() });

/** What may be spent by an organization, a project or a key, in a month or in all. */
export function budgetRoutes(app: FastifyInstance, { desk, ledger, clock, note }: BudgetDeps): void {
  const tags = ['billing'];
  const create = { summary: 'Create a budget', tags, body: NewBudgetBody, response: { 201: BudgetObject, ...ERRORS } };
  app.post<{ Body: Static<typeof NewBudgetBody> }>('/admin/v1/budgets', { schema: create }, async (request, reply) => {
    const { organization, scope = 'organization', scope_id: scopeId, period = 'month', amount_usd: amount, hard = true, warn_percents: percents = WARN_PERCENTS } = request.body;
    if (scope !== 'organization' && scopeId === undefined) {
      throw new MeridianError('missing_required_parameter', { param: 'scope_id', message: `Missing required parameter: 'scope_id', the id of the ${scope}.` });
    }
    const state = await desk.addBudget({
      organization,
      scope: scope as BudgetScope,
      scopeId: scopeId ?? organization,
      period: period === 'total' ? 'total' : 'month',
      amount: dollars(amount, 'amount_usd'),
      isHard: hard,
      warnPercents: [...new Set(percents)].toSorted((a, b) => a - b),
    });
    await note(request, { type: 'budget.created', organization, resource: state.budget.id, detail: { scope, scope_id: state.budget.scopeId, period, amount_usd: amount, hard } });
    void reply.status(201);
    return budgetObject(state);
  });

  const list = { summary: 'List budgets', tags, querystring: ListPage, response: { 200: listSchema(BudgetObject), ...ERRORS } };
  app.get<{ Querystring: ListPageQuery }>('/admin/v1/budgets', { schema: list }, async (request) => {
    const { limit = DEFAULT_LIMIT, ...query } = request.query;
    return listOf((await ledger.budgets({ ...query, limit: limit + 1 }, clock.wallMs())).map(budgetObject), limit);
  });

  const get = { summary: 'Retrieve a budget', tags, params: Params, response: { 200: BudgetObject, ...ERRORS } };
  app.get<{ Params: Static<typeof Params> }>('/admin/v1/budgets/:id', { schema: get }, async (request) => budgetObject(await desk.budget(request.params.id)));

  const archive = { summary: 'Archive a budget', tags, params: Params, response: { 200: BudgetObject, ...ERRORS } };
  app.delete<{ Params: Static<typeof Params> }>('/admin/v1/budgets/:id', { schema: archive }, async (request) => {
    const state = await desk.archiveBudget(request.params.id);
    await note(request, { type: 'budget.archived', organization: state.budget.organization, resource: state.budget.id, detail: {} });
    return budgetObject(state);
  });
}

function budgetObject({ budget, spent }: BudgetState): Static<typeof BudgetObject> {
  return {
    object: 'budget',
    id: budget.id,
    organization: budget.organization,
    scope: budget.scope,
    scope_id: budget.scopeId,
    period: budget.period,
    amount_usd: usdText(budget.amount),
    spent_usd: usdText(spent),
    hard: budget.isHard,
    warn_percents: [...budget.warnPercents],
    created_at: epochSeconds(budget.createdAtMs),
    archived_at: budget.archivedAtMs === null ? null : epochSeconds(budget.archivedAtMs),
  };
}
