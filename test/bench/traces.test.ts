import { describe, expect, test } from 'vitest';
import { readAzure } from '../../bench/routing/read-azure.ts';
import { readMooncake } from '../../bench/routing/read-mooncake.ts';
import { traceWorkload } from '../../bench/routing/trace-workload.ts';

const line = (fields: object): string => JSON.stringify({ timestamp: 0, input_length: 1_100, output_length: 600, hash_ids: [1, 2, 3], ...fields });

describe("Mooncake's format", () => {
  test('gives arrivals a jitter of three seconds, and chains of whole blocks that begin alike where ids do', () => {
    const rows = readMooncake([line({}), line({ timestamp: 3_000, hash_ids: [1, 9, 3], input_length: 1_600 }), ''].join('\n'), 't', 1);
    expect(rows.map(({ chain }) => chain.length / 2)).toEqual([2, 3]);
    const [one, other] = rows.map(({ chain }) => [...chain]);
    expect(one?.slice(0, 2)).toEqual(other?.slice(0, 2));
    expect(one?.slice(2, 4)).not.toEqual(other?.slice(2, 4));
    for (const [i, { arrivalMs }] of rows.entries()) expect([arrivalMs >= i * 3_000, arrivalMs < (i + 1) * 3_000]).toEqual([true, true]);
  });

  test.each([
    ['nonsense', 't:2: this is no JSON'],
    ['[]', "t:2: a line must be a JSON object with 'timestamp'"],
    [line({ timestamp: -1 }), "t:2: 'timestamp' must be a whole number from 0, not -1"],
    [line({ input_length: 'x' }), `t:2: 'input_length' must be a whole number from 1, not "x"`],
    [line({ output_length: undefined }), "t:2: 'output_length' must be a whole number from 0, not nothing"],
    [line({ hash_ids: [1, 2.5] }), "t:2: 'hash_ids[1]' must be a whole number from 0, not 2.5"],
    [line({ hash_ids: 7 }), "t:2: 'hash_ids' must be a list of whole numbers, not 7"],
  ])('%s is refused with line and field', (bad, message) => {
    expect(() => readMooncake(`${line({})}\n${bad}`, 't', 1)).toThrow(message);
  });
});

describe("Azure's format", () => {
  const HEADER = 'TIMESTAMP,ContextTokens,GeneratedTokens';

  test('is read with its header, and shares nothing', () => {
    const rows = readAzure(`${HEADER}\n2023-11-16 18:15:46.6805900,2048,44\n2023-11-16 18:15:47.0000000,2048,9\n`, 't');
    expect(rows.map(({ promptTokens, outputTokens }) => [promptTokens, outputTokens])).toEqual([[2_048, 44], [2_048, 9]]);
    expect((rows[1]?.arrivalMs ?? 0) - (rows[0]?.arrivalMs ?? 0)).toBeCloseTo(320);
    expect(rows[0]?.chain.length).toBe(8);
    expect(rows[0]?.chain[0]).not.toBe(rows[1]?.chain[0]);
  });

  test.each([
    ['when,what', 't:1: the header must be'],
    [`${HEADER}\n1,2`, 't:2: a line must have 3 fields, not 2'],
    [`${HEADER}\nyesterday,2,3`, "t:2: 'TIMESTAMP' must be a time like"],
    [`${HEADER}\n2023-11-16 18:15:46,many,3`, `t:2: 'ContextTokens' must be a whole number from 1, not "many"`],
    [`${HEADER}\n2023-11-16 18:15:46,2,0`, "t:2: 'GeneratedTokens' must be a whole number from 1, not 0"],
  ])('%s is refused with line and field', (text, message) => {
    expect(() => readAzure(text, 't')).toThrow(message);
  });
});

test('turns of a conversation are found by what their prompts share, and each holds the answer before it', () => {
  const ids = [1, 2, 3, 4, 5, 6, 7];
  const rows = readMooncake(
    [
      line({ timestamp: 0, input_length: 4 * 512, output_length: 1_030, hash_ids: ids.slice(0, 4) }),
      line({ timestamp: 30_000, input_length: 7 * 512, output_length: 10, hash_ids: ids }),
      line({ timestamp: 60_000, input_length: 4 * 512, output_length: 10, hash_ids: [1, 20, 21, 22] }),
    ].join('\n'),
    't',
    1,
  );
  const { requests } = traceWorkload('t', rows, ['here', 'there']);
  const [first, second, other] = requests;
  expect(second?.session).toBe(first?.session);
  expect(other?.session).not.toBe(first?.session);
  expect([...(first?.answeredChain ?? [])]).toEqual([...(second?.chain.slice(0, 12) ?? [])]);
  expect(first?.answeredChain.length).toBe(12);
});
