import { describe, expect, test } from 'vitest';
import { noLog } from '../../src/core/index.ts';
import type { EngineLoad } from '../../src/engine/index.ts';
import { zeroCounters } from '../../src/node/counters.ts';
import { LoadPoll } from '../../src/node/load-poll.ts';
import { isMuchChanged } from '../../src/node/load-report.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { eventually } from '../support/eventually.ts';

const IDLE: EngineLoad = {
  rank: 0,
  running: 0,
  queued: 0,
  queuedUncachedTokens: 0,
  kvTokensUsed: 0,
  kvTokens: 100_000,
  prefillTokensPerS: null,
  decodeTokensPerS: null,
  acceptLength: null,
};

/** A poll at a clock that the test moves, of a load that the test sets. */
class PollUnderTest {
  readonly clock = new ManualClock();
  readonly reportedAtMs: number[] = [];
  readonly counters = zeroCounters();
  readonly poll: LoadPoll;
  asks = 0;
  load: EngineLoad | Error = IDLE;
  inFlight = 0;

  constructor() {
    const adapter = {
      kind: 'fake',
      readinessPath: '/',
      loadMsMin: 0,
      flush: null,
      prepareBody: (_path: string, body: Buffer) => body,
      readInfo: () => Promise.reject(new Error('unused')),
      readLoad: () => (this.load instanceof Error ? Promise.reject(this.load) : Promise.resolve([this.load])),
      abort: null,
    };
    this.poll = new LoadPoll(
      { clock: this.clock, log: noLog, adapter, counters: this.counters, rate: { loadMsMin: 50, loadMsMax: 500 }, inFlight: () => this.inFlight },
      { onAsk: () => (this.asks += 1), onReport: () => this.reportedAtMs.push(this.clock.now()) },
    );
  }

  /** Moves the clock a millisecond at a time, and lets each answer arrive. */
  async pass(ms: number): Promise<void> {
    for (let i = 0; i < ms; i += 1) {
      this.clock.advance(1);
      for (let turn = 0; turn < 4; turn += 1) await Promise.resolve();
    }
  }
}

function gaps(timesMs: readonly number[]): number[] {
  return timesMs.slice(1).map((time, index) => time - (timesMs[index] ?? 0));
}

describe('load reports', () => {
  test('of an idle engine come at least as often as promised', async () => {
    const { poll, pass, reportedAtMs } = bound(new PollUnderTest());
    poll.start();
    await pass(3_000);
    expect(reportedAtMs.length).toBeGreaterThan(5);
    expect(Math.max(...gaps(reportedAtMs))).toBeLessThanOrEqual(500);
  });

  test('of a load that jumps all the time come no more often than promised', async () => {
    const under = new PollUnderTest();
    const { poll, pass, reportedAtMs } = bound(under);
    poll.start();
    for (let i = 0; i < 100; i += 1) {
      under.load = { ...IDLE, running: 1 + (i % 2) * 50 };
      await pass(10);
    }
    expect(reportedAtMs.length).toBeGreaterThan(5);
    expect(Math.min(...gaps(reportedAtMs))).toBeGreaterThanOrEqual(50);
  });

  test('of a busy engine that hardly changes come as seldom as allowed', async () => {
    const under = new PollUnderTest();
    under.load = { ...IDLE, running: 40 };
    const { poll, pass, reportedAtMs } = bound(under);
    poll.start();
    await pass(2_000);
    expect(Math.min(...gaps(reportedAtMs))).toBeGreaterThan(400);
    expect(Math.max(...gaps(reportedAtMs))).toBeLessThanOrEqual(500);
    expect(under.asks).toBeGreaterThan(30);
  });

  test('follow work that begins at an idle engine within the least time', async () => {
    const under = new PollUnderTest();
    const { poll, pass, reportedAtMs } = bound(under);
    poll.start();
    await pass(200);
    under.load = { ...IDLE, running: 5 };
    under.inFlight = 5;
    poll.nudge();
    await pass(1);
    expect(reportedAtMs.at(-1)).toBe(201);
  });

  test('cease while the engine does not tell, for unknown is not zero', async () => {
    const under = new PollUnderTest();
    under.load = new Error('no answer');
    const { poll, pass, reportedAtMs } = bound(under);
    poll.start();
    await pass(1_000);
    expect(reportedAtMs).toEqual([]);
    expect(under.counters.loadPollsFailed).toBeGreaterThan(1);
  });

  test('end when the poll stops', async () => {
    const under = new PollUnderTest();
    const { poll, pass } = bound(under);
    poll.start();
    await pass(10);
    poll.stop();
    await eventually(() => expect(under.clock.pending).toBe(0));
  });
});

test.each<[string, Partial<EngineLoad>, boolean]>([
  ['one request more among many', { running: 41 }, false],
  ['a tenth more', { running: 45 }, true],
  ['the first that waits', { running: 40, queued: 1 }, true],
  ['some tokens that wait', { running: 40, queuedUncachedTokens: 500 }, false],
  ['a long prompt that waits', { running: 40, queuedUncachedTokens: 5_000 }, true],
  ['a figure that is not known any more', { running: 40, kvTokensUsed: null }, true],
])('%s: much changed or not', (_, change, isMuch) => {
  expect(isMuchChanged({ ...IDLE, running: 40 }, { ...IDLE, ...change })).toBe(isMuch);
});

function bound(under: PollUnderTest): { poll: LoadPoll; pass: (ms: number) => Promise<void>; reportedAtMs: number[] } {
  return { poll: under.poll, pass: (ms) => under.pass(ms), reportedAtMs: under.reportedAtMs };
}
