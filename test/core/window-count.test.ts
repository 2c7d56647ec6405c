import fc from 'fast-check';
import { expect, test } from 'vitest';
import { WindowCount } from '../../src/core/index.ts';

test('a window counts what is younger than nine tenths of it, and nothing that is older than all of it', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(5_000), { maxLength: 60 }), fc.nat(3_000), (gaps, later) => {
      const count = new WindowCount(1_000);
      let now = 0;
      const times = gaps.map((gap) => (now += gap));
      for (const time of times) count.add(time);
      const at = now + later;
      const within = (ms: number): number => times.filter((time) => at - time < ms).length;
      expect(count.at(at)).toBeGreaterThanOrEqual(within(900));
      expect(count.at(at)).toBeLessThanOrEqual(within(1_000));
    }),
  );
});
