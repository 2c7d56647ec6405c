import { describe, expect, it } from 'vitest';
import { EngineDriver } from '../../src/sim/engine-driver.ts';
import { DEEPSEEK_V3_NODE, EngineModel, type EngineRun } from '../../src/sim/index.ts';
import { ManualClock } from '../support/manual-clock.ts';

function start(timeScale: number, outputs: readonly number[]) {
  const clock = new ManualClock();
  const model = new EngineModel(DEEPSEEK_V3_NODE);
  const driver = new EngineDriver(model, clock, timeScale);
  const seen: [atMs: number, run: number, produced: number][] = [];
  outputs.forEach((outputTokens, i) => {
    const submission = model.submit({ rid: `${i}`, promptTokens: 9, pageKeys: [], outputTokens }, driver.nowMs());
    if (submission.kind !== 'accepted') throw new Error(submission.kind);
    const run: EngineRun = submission.run;
    driver.board({
      onStep() {
        seen.push([Math.round(clock.now()), i, model.produced(run)]);
        return run.state.kind === 'ended';
      },
    });
  });
  return { clock, driver, seen };
}

describe('engine driver', () => {
  it('tells every passenger of a step at the same instant, and those that are done no more', () => {
    const { clock, seen } = start(1, [3, 2]);
    clock.advance(1_000);
    // The first starts at once, a step of 18 ms and 1 ms of prefill; the second joins the step that follows.
    expect(seen).toEqual([
      [19, 0, 1], [19, 1, 0],
      [38, 0, 2], [38, 1, 1],
      [56, 0, 3], [56, 1, 2],
    ]);
    expect(clock.pending).toBe(0);
  });

  it('runs as much faster than its clock as it is told', () => {
    const { clock, seen } = start(10, [100]);
    clock.advance(200);
    expect(seen.at(-1)).toEqual([180, 0, 100]);
  });

  it('tells nobody anything once stopped', () => {
    const { clock, driver, seen } = start(1, [50]);
    clock.advance(19.5);
    driver.stop();
    clock.advance(1_000);
    driver.pump();
    expect(seen.map(([, , produced]) => produced)).toEqual([1]);
  });
});
