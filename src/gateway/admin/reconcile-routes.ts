import type { FastifyInstance } from 'fastify';
import { Type, type Static } from 'typebox';
import { chargeOf, chargeTotal, type CountDifference, type LedgerEvent, type LedgerService, type ReplicaMargin } from '../../billing/index.ts';
import { opposite, sumOf, usdText, type Clock } from '../../core/index.ts';
import { ERRORS } from '../routes/answer-schemas.ts';
import type { NoteAct } from './audited.ts';
import { ExactDollars } from './money-fields.ts';

export interface ReconcileDeps {
  readonly ledger: Pick<LedgerService, 'reconcile'>;
  readonly clock: Clock;
  readonly note: NoteAct;
}

const Count = Type.Integer();
const Body = Type.Object(
  {
    day: Type.String({ description: 'UTC day, as 2026-11-26.' }),
    post: Type.Optional(Type.Boolean({ description: 'Put the corrections in the books; without it they are only told.' })),
  },
  { additionalProperties: false },
);
const UsageObject = Type.Object({ prompt_tokens: Count, cached_tokens: Count, completion_tokens: Count });
const Reconciled = Type.Object({
  object: Type.Literal('reconciliation'),
  day: Type.String(),
  requests: Count,
  posted: Type.Boolean(),
  replicas: Type.Array(
    Type.Object({
      replica: Type.String(),
      attempts: Count,
      charged: Type.Integer({ description: 'Attempts that a customer pays for.' }),
      prompt_tokens: Count,
      completion_tokens: Count,
      made_usd: Type.String({ description: 'All that was made, at the prices of the requests it was made for.' }),
      earned_usd: ExactDollars,
      margin_usd: Type.String({ description: 'Earned less made: what retries, hedges and broken answers cost.' }),
    }),
  ),
  differences: Type.Array(Type.Object({ request: Type.String(), attempt: Type.String(), replica: Type.String(), source: Type.String(), recorded: UsageObject, node: UsageObject })),
  corrections: Type.Array(Type.Object({ id: Type.String(), organization: Type.String(), ...UsageObject.properties, amount_usd: ExactDollars })),
});

/** What was charged, what nodes counted and what engines reported, for a day. */
export function reconcileRoutes(app: FastifyInstance, { ledger, clock, note }: ReconcileDeps): void {
  const schema = { summary: "Hold the counts of a day's requests against each other", tags: ['billing'], body: Body, response: { 200: Reconciled, ...ERRORS } };
  app.post<{ Body: Static<typeof Body> }>('/admin/v1/reconciliations', { schema }, async (request) => {
    const { day, post = false } = request.body;
    const { requests, replicas, differences, corrections } = await ledger.reconcile(day, post, clock.wallMs());
    if (post) await note(request, { type: 'reconciliation.posted', organization: null, resource: day, detail: { corrections: corrections.length } });
    return {
      object: 'reconciliation' as const,
      day,
      requests,
      posted: post,
      replicas: replicas.map(marginObject),
      differences: differences.map(differenceObject),
      corrections: corrections.map(correctionObject),
    };
  });
}

function marginObject({ replica, attempts, charged, promptTokens, completionTokens, made, earned }: ReplicaMargin) {
  return {
    replica,
    attempts,
    charged,
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    made_usd: usdText(made),
    earned_usd: usdText(earned),
    margin_usd: usdText(sumOf([earned, opposite(made)])),
  };
}

function differenceObject({ request, attempt, replica, source, recorded, node }: CountDifference) {
  return { request, attempt, replica, source, recorded: usageObject(recorded), node: usageObject(node) };
}

function correctionObject({ id, meter, usage }: LedgerEvent) {
  return { id, organization: meter.organization, ...usageObject(usage), amount_usd: usdText(chargeTotal(chargeOf(usage, meter.price))) };
}

function usageObject({ promptTokens, cachedTokens, completionTokens }: LedgerEvent['usage']): Static<typeof UsageObject> {
  return { prompt_tokens: promptTokens, cached_tokens: cachedTokens, completion_tokens: completionTokens };
}
