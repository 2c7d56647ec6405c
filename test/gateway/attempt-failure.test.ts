import { describe, expect, test } from 'vitest';
import { AttemptError, type AttemptFailure } from '../../src/openai/index.ts';
import { failureMeaning } from '../../src/gateway/attempt-failure.ts';
import { RefusedError } from '../../src/gateway/attempt-stream.ts';

const SECRET = 'connect ECONNREFUSED 10.1.2.3:30000';

describe('a failed attempt', () => {
  test.each<[AttemptFailure, string, boolean, boolean]>([
    ['unreachable', 'upstream_error', true, true],
    ['broken', 'upstream_error', true, true],
    ['empty', 'upstream_error', true, true],
    ['engine', 'upstream_error', true, true],
    ['timeout', 'upstream_timeout', true, true],
    ['cancelled', 'client_closed_request', false, false],
  ])('that was %s is %s for the client (retryable: %s, the fault of the replica: %s)', (kind, code, isRetryable, isReplicaFault) => {
    const cause = new AttemptError(kind, SECRET, null);
    const meaning = failureMeaning(cause);
    expect(meaning).toMatchObject({ error: { code, cause }, isRetryable, isReplicaFault });
    // What an engine says within its answer is meant for the client; how we reach it is not.
    if (kind !== 'engine') expect(meaning.error.message).not.toContain('10.1.2.3');
  });
});

describe("an engine's refusal", () => {
  const refused = (status: number, body: object | string): RefusedError =>
    new RefusedError(status, Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)));

  test.each([400, 413, 422])("with %d is the client's fault: passed on, not retried, and no evidence against the replica", (status) => {
    const meaning = failureMeaning(refused(status, { error: { message: 'top_k must be positive' } }));
    expect(meaning).toMatchObject({ error: { code: 'invalid_request', message: 'top_k must be positive' }, isRetryable: false, isReplicaFault: false });
  });

  test('of a prompt that is too long has a code of its own', () => {
    const said = { object: 'error', message: "The input (9 tokens) is longer than the model's context length (8 tokens).", code: 400 };
    expect(failureMeaning(refused(400, said)).error).toMatchObject({ code: 'context_length_exceeded', message: said.message });
  });

  test.each([503, 429])('with %d means that it is full', (status) => {
    expect(failureMeaning(refused(status, {}))).toMatchObject({ error: { code: 'overloaded' }, isRetryable: true, isReplicaFault: true });
  });

  test.each([401, 404, 500, 502])('with %d is a fault of ours, whose text stays inside', (status) => {
    const meaning = failureMeaning(refused(status, { message: SECRET }));
    expect(meaning).toMatchObject({ error: { code: 'upstream_error' }, isRetryable: true, isReplicaFault: true });
    expect(meaning.error.message).not.toContain('10.1.2.3');
  });

  test('without a readable message has the message of its code', () => {
    for (const body of ['', '<html>', '[1]', { message: 7 }, { error: null }]) {
      expect(failureMeaning(refused(400, body)).error).toMatchObject({ code: 'invalid_request', message: 'The engine refused the request.' });
    }
  });
});
