import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { ERROR_TABLE } from '../../src/core/index.ts';

const ROW = /^\| `(?<code>\w+)` \| (?<status>\d{3}) \| `(?<type>\w+)` \| (?<again>yes|no) \| (?<when>[^|]+) \| (?<advice>[^|]+) \|$/;

test('docs/errors.md tells of every error there is, as it is, in the same order, and of no other', () => {
  const lines = readFileSync('docs/errors.md', 'utf8').split('\n');
  const told = lines.flatMap((line) => {
    const row = ROW.exec(line)?.groups;
    return row === undefined ? [] : [[row['code'], Number(row['status']), row['type'], row['again'] === 'yes']];
  });
  const known = Object.entries(ERROR_TABLE).map(([code, { status, type, retryable }]) => [code, status, type, retryable]);
  expect(told).toEqual(known);
});
