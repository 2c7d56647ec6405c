import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DEEPSEEK_V3_NODE, decodeStepMs, EngineModel, pageKeys, type EngineJob, type EngineModelConfig, type EngineRun } from '../../src/sim/index.ts';

const SMALL: EngineModelConfig = {
  ...DEEPSEEK_V3_NODE,
  chunkTokens: 96,
  kvTokens: 1_024,
  pageTokens: 16,
  maxRunningRequests: 4,
  maxQueuedRequests: 6,
  contextTokens: 1_024,
};

function job(rid: string, tokens: readonly number[], outputTokens: number, salt = ''): EngineJob {
  const answer = Array.from({ length: outputTokens }, (_, k) => 1_000 + k);
  return {
    rid,
    promptTokens: tokens.length,
    pageKeys: pageKeys(tokens, SMALL.pageTokens, salt),
    outputTokens,
    answerPageKeys: (count) => pageKeys([...tokens, ...answer].slice(0, count), SMALL.pageTokens, salt),
  };
}

function submit(model: EngineModel, one: EngineJob, nowMs: number): EngineRun {
  model.advance(nowMs);
  const submission = model.submit(one, nowMs);
  if (submission.kind !== 'accepted') throw new Error(submission.kind);
  return submission.run;
}

const numbers = (count: number, from = 0): number[] => Array.from({ length: count }, (_, i) => from + i);

describe('engine model', () => {
  it('takes the decode step time from its points and goes on beyond them', () => {
    const points = DEEPSEEK_V3_NODE.decodeStep;
    expect([1, 64].map((batch) => decodeStepMs(points, batch))).toEqual([18, 45]);
    expect(decodeStepMs(points, 32)).toBeCloseTo(18 + (31 * 27) / 63);
    expect(decodeStepMs(points, 127)).toBeCloseTo(72);
  });

  it('prefills at its rate, in chunks, and then makes one token per step', () => {
    const model = new EngineModel(DEEPSEEK_V3_NODE);
    const run = submit(model, { rid: 'a', promptTokens: 18_000, pageKeys: [], outputTokens: 3 }, 0);
    model.advance(2_053.9);
    expect(model.produced(run)).toBe(0);
    model.advance(2_054);
    expect(model.produced(run)).toBe(1);
    expect(model.advance(2_054 + 36)).toEqual([run]);
    expect(run.state).toEqual({ kind: 'ended', outcome: 'finished', produced: 3, prefilledTokens: 18_000 });
  });

  it('finds a prompt again under the same salt only, whole pages, never the last token', () => {
    const model = new EngineModel(SMALL);
    submit(model, job('a', numbers(64), 1, 's'), 0);
    model.advance(1e6);
    const same = submit(model, job('b', numbers(64), 1, 's'), 1e6);
    const other = submit(model, job('c', numbers(64), 1, 't'), 1e6);
    model.advance(2e6);
    expect(same.cachedTokens).toBe(48);
    expect(other.cachedTokens).toBe(0);
  });

  it('keeps an answer in the cache for the turn that follows', () => {
    const model = new EngineModel(SMALL);
    submit(model, job('a', numbers(40), 41), 0);
    model.advance(1e6);
    const next = submit(model, job('b', [...numbers(40), ...numbers(41, 1_000), 7], 1), 1e6);
    expect(next.cachedTokens).toBe(80);
  });

  it('evicts what was used longest ago', () => {
    const model = new EngineModel(SMALL);
    for (const [i, name] of ['a', 'b', 'a', 'c'].entries()) {
      submit(model, job(`${i}`, numbers(400, name.charCodeAt(0) * 10_000), 1), i * 1e6);
      model.advance((i + 1) * 1e6);
    }
    const again = submit(model, job('5', numbers(400, 'a'.charCodeAt(0) * 10_000), 1), 5e6);
    expect(again.cachedTokens).toBe(384);
    model.advance(6e6);
    const lost = submit(model, job('6', numbers(400, 'b'.charCodeAt(0) * 10_000), 1), 6e6);
    expect(lost.cachedTokens).toBeLessThan(384);
  });

  it('refuses what exceeds the queue and what can never fit', () => {
    const model = new EngineModel(SMALL);
    const kinds = numbers(12).map((i) => model.submit(job(`r${i}`, numbers(20, i * 100), 5), 0).kind);
    expect(kinds.filter((kind) => kind === 'queue_full')).toHaveLength(2);
    expect(model.submit(job('long', numbers(1_000), 25), 0)).toEqual({ kind: 'too_long', limitTokens: 1_024 });
  });

  it('aborts by prefix, whether a run waits, prefills or decodes, and flushes only when idle', () => {
    const model = new EngineModel(SMALL);
    for (const i of numbers(6)) submit(model, job(`x-${i}`, numbers(200, i * 1_000), 50), 0);
    const other = submit(model, job('y', numbers(8, 9e6), 2), 0);
    model.advance(100);
    expect(model.flush()).toBe(false);
    expect(model.abort('x-')).toHaveLength(6);
    expect(model.abort('x-')).toEqual([]);
    expect(model.advance(1e6)).toEqual([other]);
    expect(model.flush()).toBe(true);
    expect(model.load()).toMatchObject({ runningRequests: 0, waitingRequests: 0, waitingUncachedTokens: 0, usedTokens: 0, cachedTokens: 0 });
  });

  it('starts higher priorities first when told to, equals in order', () => {
    const model = new EngineModel({ ...SMALL, maxRunningRequests: 1, priorityScheduling: true });
    const order = [0, 0, 5, 1, 5].map((priority, i) => submit(model, { ...job(`${i}`, numbers(8, i * 50), 2), priority }, 0));
    expect(model.advance(1e6).map((run) => order.indexOf(run))).toEqual([0, 2, 4, 3, 1]);
  });

  it('tells its next milestone so that nothing but single tokens happens before it', () => {
    const model = new EngineModel(SMALL);
    submit(model, job('a', numbers(20), 30), 0);
    const long = submit(model, job('b', numbers(20, 500), 60), 0);
    const ends: number[] = [];
    for (let at = model.nextMilestoneAtMs(); at < Infinity; at = model.nextMilestoneAtMs()) {
      // The sum of single steps and the product differ in their last bits.
      const finished = model.advance(at + 1e-6);
      if (finished.length > 0) ends.push(model.produced(long));
    }
    // The second run started one step later.
    expect(ends).toEqual([29, 60]);
  });

  it('accounts every token of any mix of jobs, within its KV cache, in order', () => {
    const command = fc.oneof(
      { weight: 4, arbitrary: fc.record({ kind: fc.constant('submit' as const), family: fc.nat(3), prompt: fc.integer({ min: 1, max: 600 }), output: fc.nat(120) }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('abort' as const), index: fc.nat(20) }) },
      { weight: 4, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 900 }) }) },
    );
    fc.assert(
      fc.property(fc.array(command, { maxLength: 40 }), (commands) => {
        const play = (): unknown[] => {
          const model = new EngineModel(SMALL);
          const runs: EngineRun[] = [];
          const started: number[] = [];
          let now = 0;
          const check = (): void => {
            const load = model.load();
            expect(load.cachedTokens).toBeLessThanOrEqual(SMALL.kvTokens);
            expect(load.usedTokens).toBeLessThanOrEqual(load.reservedTokens);
            for (const [i, run] of runs.entries()) {
              expect(run.cachedTokens).toBeLessThan(run.job.promptTokens);
              expect(model.produced(run)).toBeLessThanOrEqual(run.job.outputTokens);
              const isStarted = run.state.kind !== 'waiting' && !(run.state.kind === 'ended' && run.state.prefilledTokens === 0);
              if (isStarted && !started.includes(i)) started.push(i);
            }
          };
          for (const one of commands) {
            model.advance(now);
            if (one.kind === 'wait') now += one.ms;
            else if (one.kind === 'abort') {
              const run = runs[one.index];
              if (run !== undefined) model.abortRun(run);
            } else {
              const submission = model.submit(job(`r${String(runs.length).padStart(3, '0')}`, numbers(one.prompt, one.family * 1e6), one.output), now);
              if (submission.kind === 'accepted') runs.push(submission.run);
            }
            check();
          }
          for (let next = model.nextEventAtMs(); next < Infinity; next = model.nextEventAtMs()) {
            model.advance(next);
            check();
          }
          expect(started).toEqual(started.toSorted((a, b) => a - b));
          let made = 0;
          for (const run of runs) {
            if (run.state.kind !== 'ended') throw new Error('a run is stuck');
            made += run.state.produced;
            if (run.state.outcome === 'finished') expect(run.state.produced).toBe(run.job.outputTokens);
          }
          expect(model.totals().completionTokens).toBe(made);
          expect(model.load().reservedTokens).toBe(0);
          return runs.map((run) => [run.state, run.cachedTokens]);
        };
        expect(play()).toEqual(play());
      }),
      { numRuns: 100 },
    );
  });
});
