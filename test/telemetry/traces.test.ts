import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  MetricsRegistry,
  noLog,
  systemClock,
  type Logger,
  type TracedAttempt,
  type TracedEnd,
  type TracedStart,
} from '../../src/core/index.ts';
import { startTelemetry, type Telemetry, type TraceBounds } from '../../src/telemetry/index.ts';
import { OtlpReceiver, plainAttributes, type ReceivedSpan } from './otlp-receiver.ts';
import { eventually } from '../support/eventually.ts';

const ADMITTED_MS = Date.UTC(2026, 0, 1);
const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const PARENT = '00f067aa0ba902b7';
const NO_PARENT = { traceparent: undefined };

const SERVER_KIND = 2;
const CLIENT_KIND = 3;
const ERROR_STATUS = 2;

const start = {
  endpoint: 'chat.completions',
  model: 'deepseek-v3',
  requestId: 'req_1',
  admittedAtMs: ADMITTED_MS,
  headers: NO_PARENT,
} satisfies TracedStart;

const usage = { promptTokens: 100, cachedTokens: 64, completionTokens: 20, reasoningTokens: 5 };

const end = { durationMs: 1500.25, ttftMs: 250, outcome: 'completed', status: 200, errorCode: null, usage } satisfies TracedEnd;

const attempt = {
  id: 'req_1-00',
  replica: 'gpu-7/0',
  region: 'gcp-us-east4',
  startedMs: 2.5, resumedTokens: 0,
  durationMs: 1490,
  ttftMs: 247.5,
  predictedMs: 200,
  outcome: 'completed',
  errorCode: null,
  usage,
} satisfies TracedAttempt;

let receiver: OtlpReceiver;
let endpoint: string;
let telemetry: Telemetry | null = null;

beforeEach(async () => {
  receiver = new OtlpReceiver();
  endpoint = await receiver.listen();
});

afterEach(async () => {
  await telemetry?.close();
  telemetry = null;
  await receiver.close();
});

async function tracing(traces: Partial<TraceBounds> = {}, log: Logger = noLog) {
  const service = { serviceName: 'test-gateway', serviceVersion: '1.2.3' };
  const options = { ...service, otlpEndpoint: endpoint, metrics: new MetricsRegistry(), clock: systemClock, log, traces };
  telemetry = await startTelemetry(options);
  return telemetry.tracing;
}

/** All spans that were sent, after the last of them. */
async function exported(): Promise<ReceivedSpan[]> {
  await telemetry?.close();
  telemetry = null;
  return receiver.spans;
}

function named(spans: readonly ReceivedSpan[], kind: number): ReceivedSpan {
  const found = spans.find((span) => span.kind === kind);
  if (found === undefined) throw new Error(`no span of kind ${kind}`);
  return found;
}

function nanos(ms: number): string {
  return String(BigInt(ADMITTED_MS) * 1_000_000n + BigInt(ms * 1_000_000));
}

describe('a request', () => {
  test('is a server span by the GenAI conventions, from admission to its last byte', async () => {
    (await tracing()).startRequest(start).end({ ...end, responseId: 'chatcmpl-1', finishReasons: ['stop'] });
    const [span, ...more] = await exported();
    expect(more).toEqual([]);
    expect(span).toMatchObject({ name: 'chat deepseek-v3', kind: SERVER_KIND, status: { code: 0 } });
    expect([span?.startTimeUnixNano, span?.endTimeUnixNano]).toEqual([nanos(0), nanos(1500.25)]);
    expect(plainAttributes(span?.attributes ?? [])).toEqual({
      'gen_ai.operation.name': 'chat',
      'gen_ai.provider.name': 'meridian',
      'gen_ai.request.model': 'deepseek-v3',
      'gen_ai.response.id': 'chatcmpl-1',
      'gen_ai.response.finish_reasons': ['stop'],
      'gen_ai.response.time_to_first_chunk': 0.25,
      'gen_ai.usage.input_tokens': 100,
      'gen_ai.usage.output_tokens': 20,
      'gen_ai.usage.cache_read.input_tokens': 64,
      'gen_ai.usage.reasoning.output_tokens': 5,
      'http.response.status_code': 200,
      'meridian.request.id': 'req_1',
      'meridian.outcome': 'completed',
    });
    expect(receiver.paths).toEqual(['/v1/traces']);
    expect(receiver.resources).toEqual([{ 'service.name': 'test-gateway', 'service.version': '1.2.3' }]);
  });

  test('says nothing of the answer that is not known', async () => {
    (await tracing()).startRequest(start).end({ ...end, ttftMs: null });
    const [span] = await exported();
    const names = span?.attributes.map(({ key }) => key).filter((key) => key.startsWith('gen_ai.response.'));
    expect(names).toEqual([]);
  });

  test.each([
    ['completions', 'text_completion deepseek-v3'],
    ['embeddings', 'embeddings deepseek-v3'],
  ] as const)('to %s has a span named for its operation', async (asked, name) => {
    (await tracing()).startRequest({ ...start, endpoint: asked }).end(end);
    expect((await exported())[0]?.name).toBe(name);
  });

  test.each([
    ['failed', 502, 'upstream_error', ERROR_STATUS],
    ['failed', 200, 'upstream_timeout', ERROR_STATUS],
    ['failed', 400, 'context_length_exceeded', 0],
    ['aborted', 499, null, 0],
  ] as const)('that %s with status %i and error %s', async (outcome, status, errorCode, code) => {
    (await tracing()).startRequest(start).end({ ...end, outcome, status, errorCode });
    const [span] = await exported();
    expect(span?.status.code).toBe(code);
    expect(plainAttributes(span?.attributes ?? [])['error.type']).toBe(errorCode ?? undefined);
  });
});

describe('an attempt', () => {
  test('is a client span under its request, when and where it was', async () => {
    const span = (await tracing()).startRequest(start);
    span.attempt(attempt);
    span.end(end);
    const spans = await exported();
    const [server, client] = [named(spans, SERVER_KIND), named(spans, CLIENT_KIND)];
    expect(client).toMatchObject({ name: 'chat deepseek-v3', traceId: server.traceId, parentSpanId: server.spanId });
    expect([client.startTimeUnixNano, client.endTimeUnixNano]).toEqual([nanos(2.5), nanos(1492.5)]);
    expect(plainAttributes(client.attributes)).toMatchObject({
      'gen_ai.operation.name': 'chat',
      'server.address': 'gpu-7/0',
      'meridian.region': 'gcp-us-east4',
      'meridian.predicted_time_to_first_token': 0.2,
      'gen_ai.response.time_to_first_chunk': 0.2475,
      'gen_ai.usage.output_tokens': 20,
    });
  });

  test('that failed is an error, and the request that another one saved is none', async () => {
    const span = (await tracing()).startRequest(start);
    span.attempt({ ...attempt, outcome: 'failed', errorCode: 'upstream_error', usage: null, ttftMs: null });
    span.end(end);
    const spans = await exported();
    const client = named(spans, CLIENT_KIND);
    expect(client.status.code).toBe(ERROR_STATUS);
    expect(plainAttributes(client.attributes)).toMatchObject({ 'error.type': 'upstream_error', 'meridian.outcome': 'failed' });
    expect(plainAttributes(client.attributes)).not.toHaveProperty('gen_ai.usage.output_tokens');
    expect(named(spans, SERVER_KIND).status.code).toBe(0);
  });
});

describe('a trace', () => {
  test('goes on from the traceparent of the client', async () => {
    (await tracing()).startRequest({ ...start, headers: { traceparent: `00-${TRACE}-${PARENT}-01` } }).end(end);
    expect((await exported())[0]).toMatchObject({ traceId: TRACE, parentSpanId: PARENT });
  });

  test('that the client does not record is not exported', async () => {
    const span = (await tracing()).startRequest({ ...start, headers: { traceparent: `00-${TRACE}-${PARENT}-00` } });
    span.attempt(attempt);
    span.end(end);
    expect(await exported()).toEqual([]);
  });

  test.each(['', 'nonsense', `00-${'0'.repeat(32)}-${PARENT}-01`, `00-${TRACE}-${PARENT}-01, 00-${TRACE}-${PARENT}-01`])(
    'begins anew where the traceparent is %j',
    async (traceparent) => {
      (await tracing()).startRequest({ ...start, headers: { traceparent } }).end(end);
      const [span] = await exported();
      expect(span?.traceId).toMatch(/^[0-9a-f]{32}$/);
      expect(span?.traceId).not.toBe(TRACE);
      expect(span?.parentSpanId ?? '').toBe('');
    },
  );
});

describe('the export', () => {
  test('goes in batches, and closing sends what is left', async () => {
    const traces = await tracing({ batchMax: 100, queuedMax: 1_000 });
    for (let i = 0; i < 250; i += 1) traces.startRequest(start).end(end);
    expect((await exported()).length).toBe(250);
    expect(receiver.batches.map((batch) => batch.length)).toEqual([100, 100, 50]);
  });

  test('goes on by itself, without anyone closing', async () => {
    (await tracing({ batchMs: 10 })).startRequest(start).end(end);
    await eventually(() => expect(receiver.spans.length).toBe(1));
  });

  test('that fails is said once, and once more when it is over', async () => {
    const said: string[] = [];
    const log = { ...noLog, warn: (_: object, text: string) => said.push(text), info: (_: object, text: string) => said.push(text) };
    const traces = await tracing({ batchMs: 10 }, log);
    receiver.mode = 'refuse';
    for (const exports of [1, 2]) {
      traces.startRequest(start).end(end);
      await eventually(() => expect(receiver.paths.length).toBe(exports));
    }
    receiver.mode = 'take';
    traces.startRequest(start).end(end);
    await eventually(() => expect(said.length).toBe(2));
    expect(said).toEqual(['Traces cannot be exported; they are lost until they can.', 'Traces are exported again.']);
  });

  test('to a collector that does not answer does not hold up closing', async () => {
    receiver.mode = 'silent';
    (await tracing({ closeMs: 20, exportMs: 60_000 })).startRequest(start).end(end);
    await telemetry?.close();
    expect(receiver.spans).toEqual([]);
  });
});

test('without an endpoint nothing is traced', async () => {
  const service = { serviceName: 's', serviceVersion: '1', otlpEndpoint: null };
  const { tracing: none } = await startTelemetry({ ...service, metrics: new MetricsRegistry(), clock: systemClock, log: noLog });
  const span = none.startRequest(start);
  span.attempt(attempt);
  span.end(end);
  expect(receiver.paths).toEqual([]);
});
