import type { InFlightLimit, LimitedScope, LimitName, Overload } from '../admission/index.ts';
import type { Journal, LedgerFeed, UsageRecord } from '../billing/index.ts';
import type { ErrorCode, Metrics, Priority, Unit } from '../core/index.ts';
import type { Fleet, Replica } from '../health/index.ts';
import type { WaitingRoom } from './waiting-room.ts';

/** What the gateway counts of the requests it serves. */
export interface GatewayMetrics {
  settled(record: UsageRecord): void;
  refused(code: ErrorCode): void;
  /** A request may be tried again; `isAllowed`: within the budget. */
  retried(isAllowed: boolean): void;
  hedged(): void;
  /** A request was refused because the gateway has too much to do. */
  shed(priority: Priority): void;
  /** A request was refused because a limit of its key, project or organization was reached. */
  limited(scope: LimitedScope['kind'], limit: LimitName): void;
  /** An answer broke off: `over`: it was whole but for its end; `impossible`: it is not of the kind that can go on. */
  continued(outcome: 'resumed' | 'over' | 'failed' | 'impossible'): void;
}

/** How it stands with what gateways share. */
export interface SharedGauges {
  /** Gateways that are there, as far as is known. */
  readonly gateways: () => number;
  /** Null for a gateway alone. */
  readonly redis: { readonly isUp: boolean; readonly failures: number } | null;
  /** Requests whose limits this gateway judged by its share. */
  readonly decidedAlone: () => number;
}

/** GenAI semantic conventions' buckets, in seconds. */
const DURATION_BOUNDS_S = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92, 163.84];
const TTFT_BOUNDS_S = [0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 30, 60];
const TPOT_BOUNDS_S = [0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5];

/** Registers the gateway's metrics; gauges are read from `fleet` and `inFlight` at each scrape. */
export function gatewayMetrics(
  metrics: Metrics,
  read: { readonly fleet: Fleet; readonly inFlight: Pick<InFlightLimit, 'inFlight'>; readonly waitingRoom: Pick<WaitingRoom, 'waiting'>; readonly overload: Pick<Overload, 'level' | 'delayMs'>; readonly journal: Pick<Journal, 'healthy'>; readonly feed: Pick<LedgerFeed, 'isBehind'>; readonly shared: SharedGauges },
): GatewayMetrics {
  const byModel = ['gen_ai.request.model', 'gen_ai.operation.name'] as const;
  const duration = metrics.histogram('gen_ai.server.request.duration', {
    help: 'Time from admission to the end of the answer.',
    unit: 's',
    labels: byModel,
    bounds: DURATION_BOUNDS_S,
  });
  const ttft = metrics.histogram('gen_ai.server.time_to_first_token', {
    help: 'Time from admission to the first token.',
    unit: 's',
    labels: byModel,
    bounds: TTFT_BOUNDS_S,
  });
  const tpot = metrics.histogram('gen_ai.server.time_per_output_token', {
    help: 'Time per output token after the first, of completed streams.',
    unit: 's',
    labels: byModel,
    bounds: TPOT_BOUNDS_S,
  });
  const tokens = metrics.counter('meridian.tokens', {
    help: 'Tokens of settled requests; cached are part of input, reasoning of output.',
    unit: '{token}',
    labels: ['gen_ai.request.model', 'gen_ai.token.type'],
  });
  const requests = metrics.counter('meridian.requests', {
    help: 'Requests by how they ended.',
    unit: '{request}',
    labels: ['gen_ai.request.model', 'outcome'],
  });
  const attempts = metrics.counter('meridian.attempts', {
    help: 'Attempts by replica and how they ended.',
    unit: '{attempt}',
    labels: ['replica', 'region', 'outcome'],
  });
  const refusals = metrics.counter('meridian.refusals', {
    help: 'Requests that ended before an attempt, by error code.',
    unit: '{request}',
    labels: ['error.type'],
  });
  const retries = metrics.counter('meridian.retries', {
    help: 'Further attempts before the first byte: made, or refused for want of budget.',
    unit: '{attempt}',
    labels: ['outcome'],
  });
  const hedges = metrics.counter('meridian.hedges', { help: 'Second attempts made because the first one was late.', unit: '{attempt}', labels: [] });
  const continuations = metrics.counter('meridian.continuations', {
    help: 'Answers that broke off after their first byte, by what became of them.',
    unit: '{request}',
    labels: ['outcome'],
  });
  const sheds = metrics.counter('meridian.shed', {
    help: 'Requests refused because the gateway had too much to do, by class.',
    unit: '{request}',
    labels: ['priority'],
  });
  const limited = metrics.counter('meridian.rate_limited', {
    help: 'Requests refused by a limit of their key, project or organization.',
    unit: '{request}',
    labels: ['scope', 'limit'],
  });
  registerGauges(metrics, read);
  return {
    settled(record) {
      const { model, usage, outcome, durationMs, ttftMs } = record;
      const labels = { 'gen_ai.request.model': model, 'gen_ai.operation.name': OPERATIONS[record.endpoint] };
      duration.with(labels).record(durationMs / 1000);
      if (ttftMs !== null) ttft.with(labels).record(ttftMs / 1000);
      if (record.streamed && ttftMs !== null && outcome === 'completed' && usage.completionTokens > 1) {
        tpot.with(labels).record((durationMs - ttftMs) / (usage.completionTokens - 1) / 1000);
      }
      const ofType = (type: string) => tokens.with({ 'gen_ai.request.model': model, 'gen_ai.token.type': type });
      ofType('input').add(usage.promptTokens);
      ofType('cached').add(usage.cachedTokens);
      ofType('output').add(usage.completionTokens);
      ofType('reasoning').add(usage.reasoningTokens);
      requests.with({ 'gen_ai.request.model': model, outcome }).add(1);
      for (const { replica, region, outcome: how } of record.attempts) attempts.with({ replica, region, outcome: how }).add(1);
    },
    retried(isAllowed) {
      retries.with({ outcome: isAllowed ? 'allowed' : 'refused' }).add(1);
    },
    continued(outcome) {
      continuations.with({ outcome }).add(1);
    },
    limited(scope, limit) {
      limited.with({ scope, limit }).add(1);
    },
    shed(priority) {
      sheds.with({ priority }).add(1);
    },
    hedged() {
      hedges.with({}).add(1);
    },
    refused(code) {
      refusals.with({ 'error.type': code }).add(1);
    },
  };
}

const OPERATIONS = { 'chat.completions': 'chat', completions: 'text_completion', embeddings: 'embeddings' } as const;

function registerGauges(metrics: Metrics, read: Parameters<typeof gatewayMetrics>[1]): void {
  metrics.gauge('meridian.in_flight', { help: 'Requests under way in this gateway.', unit: '{request}' }, (set) =>
    set({}, read.inFlight.inFlight),
  );
  metrics.gauge('meridian.overload.level', { help: 'How many classes of requests are refused because the gateway has too much to do.', unit: '1' }, (set) => set({}, read.overload.level));
  metrics.gauge('meridian.overload.delay', { help: 'How late timers of the process fire.', unit: 's' }, (set) => set({}, read.overload.delayMs / 1_000));
  metrics.gauge('meridian.journal.healthy', { help: '1 while usage can be recorded; new requests are refused otherwise.', unit: '{journal}' }, (set) => set({}, read.journal.healthy ? 1 : 0));
  metrics.gauge('meridian.ledger.behind', { help: '1 while the ledger does not take what the journal has.', unit: '{ledger}' }, (set) => set({}, read.feed.isBehind ? 1 : 0));
  metrics.gauge('meridian.gateways', { help: 'Gateways that are there, as far as this one knows.', unit: '{gateway}' }, (set) => set({}, read.shared.gateways()));
  metrics.gauge('meridian.redis.up', { help: '1 while Redis answers, or there is none to ask.', unit: '{redis}' }, (set) => set({}, read.shared.redis?.isUp === false ? 0 : 1));
  metrics.gauge('meridian.redis.failures', { help: 'Commands to Redis that failed or had no answer in time, since the start.', unit: '{command}' }, (set) => set({}, read.shared.redis?.failures ?? 0));
  metrics.gauge('meridian.limits.decided_alone', { help: "Requests whose limits were judged by this gateway's share because Redis was away, since the start.", unit: '{request}' }, (set) => set({}, read.shared.decidedAlone()));
  metrics.gauge('meridian.waiting', { help: 'Requests that wait at the edge for a replica with room.', unit: '{request}', labels: ['gen_ai.request.model'] }, (set) => {
    for (const [model, count] of read.waitingRoom.waiting()) set({ 'gen_ai.request.model': model }, count);
  });
  const replicaGauge = (name: string, help: string, unit: Unit, value: (replica: Replica) => number | null): void => {
    metrics.gauge(name, { help, unit, labels: ['replica', 'region'] }, (set) => {
      for (const replica of read.fleet.all()) {
        const now = value(replica);
        if (now !== null) set({ replica: replica.identity.id, region: replica.identity.region }, now);
      }
    });
  };
  replicaGauge('meridian.replica.ready', '1 when the replica says it is ready.', '{replica}', ({ state }) => (state === 'ready' ? 1 : 0));
  replicaGauge('meridian.replica.in_flight', 'Attempts of this gateway on the replica.', '{attempt}', ({ inFlight }) => inFlight);
  replicaGauge('meridian.replica.round_trip', 'Round trip to the replica.', 's', ({ rttMs }) => (rttMs === null ? null : rttMs / 1000));
  replicaGauge('meridian.replica.running', 'Requests the replica is running.', '{request}', ({ load }) => load?.running ?? null);
  replicaGauge('meridian.replica.queued', 'Requests that wait at the replica.', '{request}', ({ load }) => load?.queued ?? null);
  replicaGauge('meridian.replica.kv_used', 'Share of the KV cache in use.', '1', ({ load }) =>
    load?.kvTokensUsed == null || !load.kvTokens ? null : load.kvTokensUsed / load.kvTokens,
  );
}
