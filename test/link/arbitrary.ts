import fc from 'fast-check';
import { FrameKind, type Frame } from '../../src/link/index.ts';
import type { TokenNews } from '../../src/openai/index.ts';

const payloads = fc.uint8Array({ maxLength: 50 }).map((bytes) => Buffer.from(bytes));

export const frames: fc.Arbitrary<Frame> = fc.oneof(
  fc.record({
    stream: fc.integer({ min: 1, max: 0xffff_ffff }),
    kind: fc.constantFrom(...Object.values(FrameKind).filter((kind) => kind !== FrameKind.prefix)),
    payload: payloads,
  }),
  fc.record({ stream: fc.constant(0), kind: fc.constant(FrameKind.prefix), payload: payloads }),
);

const count = fc.nat({ max: 1_000_000 });
const name = fc.string({ minLength: 1, maxLength: 30 });
const orNull = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(arbitrary);

const usage = fc.record({ promptTokens: count, cachedTokens: count, completionTokens: count, reasoningTokens: count });
const settlements = fc.record({ usage: orNull(usage), counted: orNull(usage), frames: count });
const headers = fc.dictionary(fc.stringMatching(/^[a-z][a-z0-9-]{0,20}$/), fc.string());

export const openHeads = fc.record({
  method: fc.constant('POST' as const),
  path: name.map((path) => `/${path}`),
  headers,
  attempt: fc.record({
    id: name,
    replica: name,
    deadlineMs: count,
    priority: fc.integer(),
    cacheSalt: fc.string(),
    streamed: fc.boolean(),
    usageAsked: fc.boolean(),
    continuable: fc.boolean(),
    resume: fc.option(
      fc.record({
        text: fc.string(),
        reasoning: fc.string(),
        tokens: fc.nat(),
        ids: fc.option(fc.record({ prompt: fc.array(fc.nat()), delivered: fc.array(fc.nat()) })),
      }),
    ),
  }),
});
export const answerHeads = fc.record({ status: fc.integer({ min: 100, max: 599 }), headers });
export const streamEnds = fc.record({ settlement: settlements });
export const streamFailures = fc.record({
  kind: fc.constantFrom('unreachable', 'broken', 'empty', 'engine', 'timeout', 'cancelled'),
  message: fc.string(),
  settlement: orNull(settlements),
});

const words = fc.array(fc.nat({ max: 0xffff_ffff }), { maxLength: 20 }).map((half) => Uint32Array.from(half.flatMap((word) => [word, word >>> 11])));

export const prefixEvents = fc.record({
  replica: fc.nat({ max: 0xffff }),
  isSnapshot: fc.boolean(),
  seq: fc.nat({ max: 0xffff_ffff }),
  stored: words,
  evicted: words,
});

const ping = fc.record({ type: fc.constantFrom('ping', 'pong'), id: count });

export const messagesFromNode = fc.oneof(
  ping,
  fc.record({
    type: fc.constant('hello'),
    protocol: count,
    node: name,
    region: name,
    epoch: name,
    engine: fc.record({ kind: name, version: orNull(fc.string()) }),
    models: fc.array(name, { minLength: 1, maxLength: 3 }),
    weightDtype: name,
    contextTokens: count,
    kvTokens: orNull(count),
    runningMax: orNull(count),
    continuation: fc.constantFrom('none', 'text', 'tokens'),
    replicas: fc.array(fc.record({ id: name, rank: count }), { minLength: 1, maxLength: 3 }),
  }),
  fc.record({
    type: fc.constant('load'),
    replica: name,
    seq: count,
    ageMs: count,
    seenStream: count,
    running: count,
    queued: count,
    queuedUncachedTokens: orNull(count),
    kvTokensUsed: orNull(count),
    kvTokens: orNull(count),
    prefillTokensPerS: orNull(fc.double({ min: 0, noNaN: true, noDefaultInfinity: true })),
    decodeTokensPerS: orNull(fc.double({ min: 0, noNaN: true, noDefaultInfinity: true })),
  }),
  fc.record({
    type: fc.constant('state'),
    state: fc.constantFrom('starting', 'warming', 'ready', 'draining', 'unhealthy'),
    reason: fc.string(),
  }),
  fc.record({
    type: fc.constant('settled'),
    attempt: name,
    outcome: fc.constantFrom('aborted', 'failed', 'completed'),
    settlement: settlements,
  }),
);

export const messagesFromGateway = fc.oneof(
  ping,
  fc.record({ type: fc.constant('acknowledge'), attempt: name }),
  fc.record({ type: fc.constant('resync'), replica: name }),
  fc.record({ type: fc.constantFrom('drain', 'resume') }),
  fc.record({
    type: fc.constant('members'),
    gateway: name,
    gateways: fc.array(fc.record({ id: name, url: fc.string() }), { maxLength: 3 }),
  }),
);

const ids = fc.array(fc.nat(), { maxLength: 5 });
const fourCounts = fc.record({ promptTokens: fc.nat(), cachedTokens: fc.nat(), completionTokens: fc.nat(), reasoningTokens: fc.nat() });

export const countedData: fc.Arbitrary<[TokenNews, Buffer]> = fc.tuple(
  fc.record({ usage: fourCounts, ids, promptIds: ids }),
  fc.uint8Array({ maxLength: 30 }).map((bytes) => Buffer.from(bytes)),
);
