import { describe, expect, test } from 'vitest';
import { AttemptHarness } from './attempt-harness.ts';

const SAME = { a: {}, b: {}, c: {} };

describe('a request whose attempt fails', () => {
  test('loses no try by a replica that is lost in the pause before it', async () => {
    const harness = new AttemptHarness(SAME, { attemptsMax: 2 });
    const over = harness.run();
    (await harness.dispatch(1)).fail();
    await harness.until(() => harness.clock.pending >= 2, 'the pause did not begin');
    harness.fleet.remove('b');
    harness.clock.advance(10);
    (await harness.dispatch(2)).fail();
    expect(await over).toMatchObject({ kind: 'ended', outcome: { kind: 'failed' } });
    expect(harness.tried).toEqual(['a', 'c']);
  });

  test('is tried on another node, and then in another region, even a dearer one', async () => {
    const harness = new AttemptHarness({ a: { region: 'here' }, b: { region: 'here' }, c: { region: 'here' }, d: { region: 'far' } });
    harness.fleet.get('d')?.measured(500);
    const over = harness.run();
    for (const number of [1, 2, 3]) {
      (await harness.dispatch(number)).fail();
      if (number === 3) break;
      await harness.until(() => harness.clock.pending >= 2, 'the pause did not begin');
      harness.clock.advance(10);
    }
    expect(await over).toMatchObject({ kind: 'ended' });
    expect(harness.tried).toEqual(['a', 'b', 'd']);
  });

  test('ends with what it met when the budget of retries is used up', async () => {
    const harness = new AttemptHarness(SAME, { budgetMin: 0 });
    const over = harness.run();
    (await harness.dispatch(1)).fail();
    expect(await over).toMatchObject({ kind: 'ended', outcome: { kind: 'failed', error: { code: 'upstream_error' } } });
    expect(harness.tried).toEqual(['a']);
  });
});

describe('an attempt that is late', () => {
  test('is given up, and another node tried, when no token came in time', async () => {
    const harness = new AttemptHarness(SAME, { firstTokenMs: 1_000 });
    const over = harness.run();
    const first = await harness.dispatch(1);
    harness.clock.advance(1_100);
    expect(first.isAborted).toBe(true);
    await harness.until(() => harness.clock.pending >= 2, 'the pause did not begin');
    harness.clock.advance(10);
    (await harness.dispatch(2)).answer();
    expect(await over).toMatchObject({ kind: 'answering', attempt: { replica: { identity: { id: 'b' } } } });
    expect(harness.context.attempts).toMatchObject([{ replica: 'a', outcome: 'failed', errorCode: 'upstream_timeout' }]);
  });

  test('gets another one beside it; who answers first goes on, and the other is cancelled and counts for nothing', async () => {
    const harness = new AttemptHarness(SAME, { hedgeAfterMs: 300 });
    const over = harness.run();
    const slow = await harness.dispatch(1);
    harness.clock.advance(300);
    const other = await harness.dispatch(2);
    expect(harness.context.open.size).toBe(2);
    other.answer();
    expect(await over).toMatchObject({ kind: 'answering', attempt: { replica: { identity: { id: 'b' } } } });
    expect(slow.isAborted).toBe(true);
    expect(harness.context.open.size).toBe(1);
    expect(harness.context.attempts).toMatchObject([{ replica: 'a', outcome: 'aborted', usage: null }]);
    expect(harness.fleet.get('a')?.failures.at(0)).toBe(0);
  });

  test('may still win', async () => {
    const harness = new AttemptHarness(SAME, { hedgeAfterMs: 300 });
    const over = harness.run();
    const slow = await harness.dispatch(1);
    harness.clock.advance(300);
    const other = await harness.dispatch(2);
    slow.answer();
    expect(await over).toMatchObject({ kind: 'answering', attempt: { replica: { identity: { id: 'a' } } } });
    expect(other.isAborted).toBe(true);
  });

  test('is waited for when the one beside it fails, and a third node is tried when both have', async () => {
    const harness = new AttemptHarness(SAME, { hedgeAfterMs: 300 });
    const over = harness.run();
    const slow = await harness.dispatch(1);
    harness.clock.advance(300);
    (await harness.dispatch(2)).fail();
    await harness.until(() => harness.context.attempts.length === 1, 'the failure was not recorded');
    slow.fail();
    await harness.until(() => harness.clock.pending >= 2, 'the pause did not begin');
    harness.clock.advance(10);
    (await harness.dispatch(3)).answer();
    expect(await over).toMatchObject({ kind: 'answering' });
    expect(harness.tried).toEqual(['a', 'b', 'c']);
  });

  test('gets none beside it where the others are not expected to be in time', async () => {
    const harness = new AttemptHarness(SAME, { hedgeAfterMs: 300 });
    for (const id of ['b', 'c']) harness.fleet.get(id)?.backlog.sent(1, 50_000, 0);
    const over = harness.run();
    const slow = await harness.dispatch(1);
    harness.clock.advance(300);
    await harness.until(() => harness.clock.pending === 1, 'the hedge was not looked for');
    slow.answer();
    expect(await over).toMatchObject({ kind: 'answering' });
    expect(harness.tried).toEqual(['a']);
  });

  test('gets none beside it when it answers before', async () => {
    const harness = new AttemptHarness(SAME, { hedgeAfterMs: 300 });
    const over = harness.run();
    (await harness.dispatch(1)).answer();
    expect(await over).toMatchObject({ kind: 'answering' });
    harness.clock.advance(1_000);
    expect(harness.tried).toEqual(['a']);
  });
});
