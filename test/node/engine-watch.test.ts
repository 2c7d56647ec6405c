import { beforeEach, describe, expect, test } from 'vitest';
import { noLog } from '../../src/core/index.ts';
import type { EngineInfo } from '../../src/engine/index.ts';
import { zeroCounters } from '../../src/node/counters.ts';
import { EngineStatusError } from '../../src/engine/index.ts';
import { EngineWatch } from '../../src/node/engine-watch.ts';
import { NODE_TUNING } from '../../src/node/options.ts';
import { ManualClock } from '../support/manual-clock.ts';

const REFUSED = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
const NOT_READY = new EngineStatusError(503, '/health');
const SILENT = new Error('headers timeout');
const INFO: EngineInfo = { version: '1', instance: null, kvTokens: null, runningMax: null, contextTokens: null, tellsTokenIds: false, ranks: 1 };

let clock: ManualClock;
let answer: Error | null;
let info: EngineInfo;
let states: string[];
let identities: string[];
let startTimeouts: number;
let probes: number;
let watch: EngineWatch;

beforeEach(() => {
  clock = new ManualClock();
  answer = null;
  info = INFO;
  states = [];
  identities = [];
  startTimeouts = 0;
  probes = 0;
  watch = new EngineWatch(
    {
      clock,
      log: noLog,
      counters: zeroCounters(),
      tuning: NODE_TUNING,
      startTimeoutMs: 30_000,
      client: {
        control() {
          probes += 1;
          return answer === null ? Promise.resolve('') : Promise.reject(answer);
        },
      },
      adapter: {
        kind: 'fake',
        readinessPath: '/health',
        loadMsMin: 0,
        flush: null,
        prepareBody: (_path, body) => body,
        readInfo: () => Promise.resolve(info),
        readLoad: () => Promise.resolve([]),
        abort: null,
      },
    },
    {
      onState: (state) => states.push(state.kind),
      onIdentity: () => identities.push(watch.epoch),
      onStartTimeout: () => (startTimeouts += 1),
    },
  );
});

/** Lets seconds pass, one at a time, and each probe be answered. */
async function pass(seconds: number): Promise<void> {
  for (let i = 0; i < seconds; i += 1) {
    clock.advance(1_000);
    await settle();
  }
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 8; turn += 1) await Promise.resolve();
}

async function ready(): Promise<void> {
  watch.start();
  await settle();
  expect(watch.state.kind).toBe('ready');
}

describe('the watch over an engine', () => {
  test('sees it start, warm up and get ready', async () => {
    answer = REFUSED;
    watch.start();
    await pass(2);
    expect(watch.state.kind).toBe('starting');
    answer = NOT_READY;
    await pass(2);
    expect(watch.state).toEqual({ kind: 'warming', reason: 'not ready: the engine answered 503 to /health' });
    answer = null;
    await pass(1);
    expect(watch.state.kind).toBe('ready');
    expect(identities).toHaveLength(1);
  });

  test('calls it unhealthy when several probes fail and no token comes', async () => {
    await ready();
    answer = SILENT;
    await pass(NODE_TUNING.probeFailuresMax - 1);
    expect(watch.state.kind).toBe('ready');
    await pass(1);
    expect(watch.state.kind).toBe('unhealthy');
    answer = null;
    await pass(1);
    expect(watch.state.kind).toBe('ready');
  });

  test('calls it ready while tokens come, whatever the probes say: busy is not dead', async () => {
    await ready();
    answer = SILENT;
    for (let i = 0; i < 10; i += 1) {
      watch.progressed();
      await pass(3);
    }
    expect(states).toEqual(['ready']);
    await pass(NODE_TUNING.progressMs / 1_000 + NODE_TUNING.probeFailuresMax);
    expect(states).toEqual(['ready', 'unhealthy']);
  });

  test('asks no probe of an engine that is making tokens', async () => {
    await ready();
    const before = probes;
    for (let i = 0; i < 5; i += 1) {
      clock.advance(999);
      watch.progressed();
      clock.advance(1);
      await settle();
    }
    expect(probes).toBe(before);
  });

  test('calls it unhealthy at once when nothing listens, and its return a new epoch', async () => {
    await ready();
    const before = watch.epoch;
    answer = REFUSED;
    watch.unreachable(REFUSED);
    expect(watch.state.kind).toBe('unhealthy');
    answer = NOT_READY;
    await pass(1);
    expect(watch.state.kind).toBe('warming');
    answer = null;
    await pass(1);
    expect(watch.state.kind).toBe('ready');
    expect(watch.epoch).not.toBe(before);
  });

  test('keeps the epoch of an engine that was only silent', async () => {
    await ready();
    const before = watch.epoch;
    answer = SILENT;
    await pass(5);
    answer = null;
    await pass(1);
    expect(watch.epoch).toBe(before);
  });

  test('sees another instance behind the same address', async () => {
    await ready();
    const before = watch.epoch;
    info = { ...INFO, instance: 'another' };
    await pass(NODE_TUNING.infoMs / 1_000);
    expect(watch.epoch).not.toBe(before);
    expect(identities).toHaveLength(2);
  });

  test('says when it was not ready in time', async () => {
    answer = NOT_READY;
    watch.start();
    await pass(32);
    expect(watch.state.reason).toContain('not ready within 30000 ms');
    expect(startTimeouts).toBe(1);
  });

  test('keeps the reason why a supervised engine ended', async () => {
    await ready();
    answer = REFUSED;
    watch.processExited('the engine exited with code 1');
    await pass(3);
    expect(watch.state).toEqual({ kind: 'unhealthy', reason: 'the engine exited with code 1' });
    watch.processStarted();
    await settle();
    expect(watch.state.kind).toBe('starting');
  });

  test('probes no more once stopped', async () => {
    await ready();
    watch.stop();
    const before = probes;
    await pass(5);
    expect(probes).toBe(before);
  });
});
