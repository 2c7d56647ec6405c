import type { FastifyInstance } from 'fastify';
import { Type, type Static } from 'typebox';
import type { UsageSum } from '../../billing/index.ts';
import { sumOf, usdText, type FemtoUsd } from '../../core/index.ts';
import { ERRORS } from '../routes/answer-schemas.ts';
import { tenantOf } from './admin-identity.ts';
import { bucketsOf, CostsQuery, DIMENSIONS } from './usage-query-schema.ts';
import { bucketList, type UsageDeps } from './usage-routes.ts';

const Text = Type.Union([Type.String(), Type.Null()]);

const CostsResult = Type.Object({
  object: Type.Literal('organization.costs.result'),
  amount: Type.Object({
    value: Type.Number({ description: 'Dollars, as near as a double comes.' }),
    currency: Type.Literal('usd'),
    exact: Type.String({ description: 'Dollars, exact.' }),
  }),
  line_item: Text,
  project_id: Text,
  api_key_id: Text,
  user_id: Type.Null(),
  organization_id: Text,
  quantity: Type.Union([Type.Integer(), Type.Null()]),
  quantity_unit: Text,
});
const Bucket = Type.Object({ object: Type.Literal('bucket'), start_time: Type.Integer(), end_time: Type.Integer(), results: Type.Array(CostsResult) });
const CostsPage = Type.Object({ object: Type.Literal('page'), data: Type.Array(Bucket), has_more: Type.Boolean(), next_page: Text });

const TOKEN_CLASSES = ['input', 'inputCached', 'output'] as const;
const LINE_NAMES = { input: 'input_tokens', inputCached: 'cached_input_tokens', output: 'output_tokens' } as const;

/** One kind of tokens of a sum. */
interface CostLine {
  readonly startMs: number;
  readonly sum: UsageSum;
  /** Null for all kinds together. */
  readonly name: string | null;
  readonly tokens: number | null;
  readonly amount: FemtoUsd;
}

/** What usage cost, by day, in OpenAI's shape. Exact: the sum of all results is the sum of all events. */
export function costsRoutes(app: FastifyInstance, { ledger, feed, clock }: UsageDeps): void {
  const schema = { summary: 'Costs', tags: ['usage'], querystring: CostsQuery, response: { 200: CostsPage, ...ERRORS } };
  app.get<{ Querystring: Static<typeof CostsQuery> }>('/v1/organization/costs', { schema }, async (request) => {
    const { group_by: groupBy = [], project_ids: projects, api_key_ids: keys, line_items: wanted } = request.query;
    const buckets = bucketsOf(request.query, clock.wallMs());
    const organization = tenantOf(request);
    await feed.catchUp();
    const byLine = groupBy.includes('line_item') || wanted !== undefined;
    const dimensions = groupBy.flatMap((name) => DIMENSIONS[name] ?? []);
    const sums = await ledger.usage({
      fromMs: buckets.fromMs,
      toMs: buckets.toMs,
      grain: 'day',
      groupBy: byLine ? [...dimensions, 'model'] : dimensions,
      only: {
        ...(organization === null ? {} : { organization: [organization] }),
        ...(projects === undefined ? {} : { project: projects }),
        ...(keys === undefined ? {} : { keyId: keys }),
      },
    });
    const lines = byLine ? sums.flatMap(linesOf).filter(({ name }) => wanted === undefined || wanted.includes(name ?? '')) : sums.map(whole);
    const data = bucketList(buckets, lines, costsResult);
    return { object: 'page' as const, data, has_more: buckets.nextPage !== null, next_page: buckets.nextPage };
  });
}

function whole(sum: UsageSum): CostLine {
  return { startMs: sum.startMs, sum, name: null, tokens: null, amount: sumOf([sum.charge.input, sum.charge.inputCached, sum.charge.output]) };
}

function linesOf(sum: UsageSum): CostLine[] {
  const tokens = { input: sum.promptTokens - sum.cachedTokens, inputCached: sum.cachedTokens, output: sum.completionTokens };
  return TOKEN_CLASSES.filter((kind) => tokens[kind] !== 0).map((kind) => ({
    startMs: sum.startMs,
    sum,
    name: `${sum.group.model}, ${LINE_NAMES[kind]}`,
    tokens: tokens[kind],
    amount: sum.charge[kind],
  }));
}

function costsResult({ sum: { group }, name, tokens, amount }: CostLine): Static<typeof CostsResult> {
  const exact = usdText(amount);
  return {
    object: 'organization.costs.result',
    amount: { value: Number(exact), currency: 'usd', exact },
    line_item: name,
    project_id: group.project,
    api_key_id: group.keyId,
    user_id: null,
    organization_id: group.organization,
    quantity: tokens,
    quantity_unit: tokens === null ? null : 'tokens',
  };
}
