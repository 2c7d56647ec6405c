import type { FastifyInstance } from 'fastify';
import { Type, type Static } from 'typebox';
import type { Endpoint, Ledger, LedgerFeed, UsageQuery, UsageSum } from '../../billing/index.ts';
import type { Clock } from '../../core/index.ts';
import { ERRORS } from '../routes/answer-schemas.ts';
import { tenantOf } from './admin-identity.ts';
import { bucketsOf, CompletionsQuery, DIMENSIONS, EmbeddingsQuery, type Buckets } from './usage-query-schema.ts';

export interface UsageDeps {
  readonly ledger: Pick<Ledger, 'usage'>;
  readonly feed: Pick<LedgerFeed, 'catchUp'>;
  readonly clock: Clock;
}

type AskedUsage = Static<typeof CompletionsQuery>;

const Text = Type.Union([Type.String(), Type.Null()]);
const Count = Type.Integer();
const GROUP = { project_id: Text, user_id: Type.Null(), api_key_id: Text, model: Text, organization_id: Text };

const CompletionsResult = Type.Object({
  object: Type.Literal('organization.usage.completions.result'),
  num_model_requests: Count,
  input_tokens: Type.Integer({ description: 'Cached ones included.' }),
  input_cached_tokens: Count,
  input_uncached_tokens: Count,
  output_tokens: Type.Integer({ description: 'Reasoning included.' }),
  output_reasoning_tokens: Count,
  ...GROUP,
  batch: Type.Union([Type.Boolean(), Type.Null()]),
  service_tier: Text,
});
const EmbeddingsResult = Type.Object({ object: Type.Literal('organization.usage.embeddings.result'), num_model_requests: Count, input_tokens: Count, ...GROUP });

function pageOf<Result extends Type.TSchema>(result: Result) {
  const bucket = Type.Object({ object: Type.Literal('bucket'), start_time: Count, end_time: Count, results: Type.Array(result) });
  return Type.Object({ object: Type.Literal('page'), data: Type.Array(bucket), has_more: Type.Boolean(), next_page: Text });
}

/** What was used, in OpenAI's shapes. */
export function usageRoutes(app: FastifyInstance, deps: UsageDeps): void {
  const tags = ['usage'];
  const completions = { summary: 'Usage of completions', tags, querystring: CompletionsQuery, response: { 200: pageOf(CompletionsResult), ...ERRORS } };
  app.get<{ Querystring: AskedUsage }>('/v1/organization/usage/completions', { schema: completions }, (request) =>
    page(request.query, tenantOf(request), ['chat.completions', 'completions'], deps, (sum) => completionsResult(sum, request.query)),
  );
  const embeddings = { summary: 'Usage of embeddings', tags, querystring: EmbeddingsQuery, response: { 200: pageOf(EmbeddingsResult), ...ERRORS } };
  app.get<{ Querystring: Static<typeof EmbeddingsQuery> }>('/v1/organization/usage/embeddings', { schema: embeddings }, (request) =>
    page(request.query, tenantOf(request), ['embeddings'], deps, embeddingsResult),
  );
}

/** Buckets of usage, the empty ones too, each with what `result` makes of its sums. */
async function page<Result>(
  asked: AskedUsage,
  organization: string | null,
  endpoints: readonly Endpoint[],
  { ledger, feed, clock }: UsageDeps,
  result: (sum: UsageSum) => Result,
) {
  const buckets = bucketsOf(asked, clock.wallMs());
  await feed.catchUp();
  const sums = asked.user_ids === undefined ? await ledger.usage(queryOf(asked, organization, endpoints, buckets)) : [];
  return { object: 'page' as const, data: bucketList(buckets, sums, result), has_more: buckets.nextPage !== null, next_page: buckets.nextPage };
}

function queryOf(asked: AskedUsage, organization: string | null, endpoints: readonly Endpoint[], { fromMs, toMs, grain }: Buckets): UsageQuery {
  const { group_by: groupBy = [], project_ids: projects, api_key_ids: keys, models, batch } = asked;
  return {
    fromMs,
    toMs,
    grain,
    groupBy: [...new Set(groupBy.flatMap((name) => DIMENSIONS[name] ?? []))],
    only: {
      endpoint: endpoints,
      ...(organization === null ? {} : { organization: [organization] }),
      ...(projects === undefined ? {} : { project: projects }),
      ...(keys === undefined ? {} : { keyId: keys }),
      ...(models === undefined ? {} : { model: models }),
      ...(batch === undefined ? {} : { tier: batch ? ['batch'] : ['standard', 'priority'] }),
    },
  };
}

/** Every bucket of the page, in order. */
export function bucketList<Sum extends { readonly startMs: number }, Result>({ fromMs, toMs, widthMs }: Buckets, sums: readonly Sum[], result: (sum: Sum) => Result) {
  const byStart = Map.groupBy(sums, ({ startMs }) => startMs);
  return Array.from({ length: Math.round((toMs - fromMs) / widthMs) }, (_, i) => {
    const startMs = fromMs + i * widthMs;
    const results = (byStart.get(startMs) ?? []).map(result);
    return { object: 'bucket' as const, start_time: startMs / 1_000, end_time: (startMs + widthMs) / 1_000, results };
  });
}

function completionsResult(sum: UsageSum, { group_by: groupBy = [] }: AskedUsage): Static<typeof CompletionsResult> {
  const { tier } = sum.group;
  return {
    object: 'organization.usage.completions.result',
    num_model_requests: sum.requests,
    input_tokens: sum.promptTokens,
    input_cached_tokens: sum.cachedTokens,
    input_uncached_tokens: sum.promptTokens - sum.cachedTokens,
    output_tokens: sum.completionTokens,
    output_reasoning_tokens: sum.reasoningTokens,
    ...groupObject(sum),
    batch: groupBy.includes('batch') ? tier === 'batch' : null,
    service_tier: groupBy.includes('service_tier') ? tier : null,
  };
}

function embeddingsResult(sum: UsageSum): Static<typeof EmbeddingsResult> {
  return { object: 'organization.usage.embeddings.result', num_model_requests: sum.requests, input_tokens: sum.promptTokens, ...groupObject(sum) };
}

function groupObject({ group: { project, keyId, model, organization } }: UsageSum) {
  return { project_id: project, user_id: null, api_key_id: keyId, model, organization_id: organization };
}
