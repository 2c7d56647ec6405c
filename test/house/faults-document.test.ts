import { globSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';

const document = readFileSync('docs/faults.md', 'utf8');
const rows = [...document.matchAll(/^\| (\d+) \|/gm)].map(([, number]) => Number(number));
const tests = globSync('test/**/*.test.ts').map((file) => readFileSync(file, 'utf8')).join('\n');
/** Numbers after `row` or `rows` in the names of tests. */
const tested = new Set([...tests.matchAll(/\brows? ([\d, and]+): /g)].flatMap(([, numbers = '']) => [...numbers.matchAll(/\d+/g)].map(([number]) => Number(number))));

describe('docs/faults.md', () => {
  test('has rows', () => {
    expect(rows.length).toBeGreaterThan(30);
  });

  test.each(rows)('row %i has a test', (row) => {
    expect(tested.has(row)).toBe(true);
  });

  test('has every row that is tested', () => {
    expect([...tested].filter((row) => !rows.includes(row))).toEqual([]);
  });
});
