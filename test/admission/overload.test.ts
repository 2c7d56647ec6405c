import { describe, expect, test } from 'vitest';
import { Overload, type OverloadOptions } from '../../src/admission/index.ts';

const OPTIONS: OverloadOptions = {
  batch: { delayMs: 200, heapShare: 0.8, inFlightShare: 0.8 },
  standard: { delayMs: 500, heapShare: 0.9, inFlightShare: 0.95 },
  critical: { delayMs: 2_000, heapShare: 0.95, inFlightShare: 1 },
  calmMs: 1_000,
};
const WELL = { delayMs: 5, heapShare: 0.3 };

function refused(overload: Overload, inFlightShare = 0): string[] {
  return (['critical', 'standard', 'batch'] as const).filter((priority) => overload.refuses(priority, inFlightShare));
}

describe('a gateway with too much to do', () => {
  test.each([
    [WELL, []],
    [{ ...WELL, delayMs: 200 }, ['batch']],
    [{ ...WELL, delayMs: 500 }, ['standard', 'batch']],
    [{ ...WELL, delayMs: 2_000 }, ['critical', 'standard', 'batch']],
    [{ ...WELL, heapShare: 0.85 }, ['batch']],
    [{ ...WELL, heapShare: 0.96 }, ['critical', 'standard', 'batch']],
  ])('at %j refuses %j', (sample, classes) => {
    const overload = new Overload(OPTIONS);
    overload.saw(sample, 0);
    expect(refused(overload)).toEqual(classes);
    expect(overload.refusesAll).toBe(classes.length === 3);
  });

  test.each([
    [0.79, []],
    [0.8, ['batch']],
    [0.95, ['standard', 'batch']],
    [1, ['critical', 'standard', 'batch']],
  ])('with a share of %d of its requests under way refuses %j', (share, classes) => {
    expect(refused(new Overload(OPTIONS), share)).toEqual(classes);
  });

  test('lets classes in again one after the other, and only after it was better for a while', () => {
    const overload = new Overload(OPTIONS);
    overload.saw({ ...WELL, delayMs: 3_000 }, 0);
    const levels: number[] = [];
    for (let now = 100; now <= 3_500; now += 100) {
      overload.saw(WELL, now);
      levels.push(overload.level);
    }
    expect(levels.indexOf(2)).toBe(10);
    expect(levels.indexOf(1)).toBe(20);
    expect(levels.indexOf(0)).toBe(30);
  });

  test('begins to wait anew when it gets worse in between', () => {
    const overload = new Overload(OPTIONS);
    overload.saw({ ...WELL, delayMs: 600 }, 0);
    overload.saw(WELL, 900);
    overload.saw({ ...WELL, delayMs: 600 }, 1_000);
    overload.saw(WELL, 1_100);
    overload.saw(WELL, 2_000);
    expect(overload.level).toBe(2);
    overload.saw(WELL, 2_100);
    expect(overload.level).toBe(1);
  });
});
