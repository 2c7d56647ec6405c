import type { ServerResponse } from 'node:http';
import { Webhook } from 'standardwebhooks';
import { describe, expect, onTestFinished, test } from 'vitest';
import { WebhookDeliverer, WebhookSender, type SendWebhook, type WebhookQueue } from '../../src/billing/index.ts';
import { noLog, seededRng } from '../../src/core/index.ts';
import { until } from '../support/until.ts';
import { WebhookReceiver } from '../support/webhook-receiver.ts';
import { webhookBooks } from './webhook-books.ts';

const HOUR_MS = 3_600_000;
const POLL_MS = 1_000;
/** The timeout and its margin: by then a claim has lapsed. */
const LEASE_MS = 40_000;

const hang = (): void => {};
const answering = (status: number, headers: Record<string, string> = {}) => (response: ServerResponse) => void response.writeHead(status, headers).end();

interface Delivering {
  readonly queue?: WebhookQueue;
  readonly send?: SendWebhook;
  readonly concurrency?: number;
}

/** Books, and a way to deliver from them that lives as long as the test. */
function delivering() {
  const books = webhookBooks();
  const sender = new WebhookSender({ allowLoopback: true, allowPrivate: false });
  onTestFinished(() => sender.close());
  const start = ({ queue = books.store, send = sender.send, concurrency = 8 }: Delivering = {}): WebhookDeliverer => {
    const { clock, seal } = books;
    const deliverer = new WebhookDeliverer({ queue, send, seal, clock, rng: seededRng(1), log: noLog, userAgent: 'Meridian/test', concurrency, pollMs: POLL_MS });
    onTestFinished(async () => {
      clock.advance(LEASE_MS);
      await deliverer.close();
    });
    return deliverer;
  };
  const stateOf = async (event: string, endpoint?: string) => (await books.delivery(event, endpoint)).state;
  const attemptsOf = async (event: string, endpoint?: string) => (await books.delivery(event, endpoint)).attempts;
  return { ...books, start, stateOf, attemptsOf };
}

describe('what is due', () => {
  test('arrives signed, as JSON, byte for byte as it was written', async () => {
    const { start, endpoint, tell, desk, delivery, stateOf } = delivering();
    const receiver = await WebhookReceiver.start();
    const { secret } = await endpoint({ url: receiver.url });
    const event = await tell({ data: { id: 'inv_1', note: 'Ümläute – “quoted” 日本' } });
    start();
    await until(async () => (await stateOf(event)) === 'delivered', 'it is delivered');
    const [message, ...more] = receiver.received;
    expect(more).toEqual([]);
    expect(message?.body).toBe((await desk.event(event)).payload);
    expect(message?.headers).toMatchObject({ 'content-type': 'application/json', 'user-agent': 'Meridian/test', 'webhook-id': event });
    expect(new Webhook(secret).verify(message?.body ?? '', message?.headers as Record<string, string>)).toMatchObject({ type: 'invoice.paid', organization: 'org_a' });
    expect(await delivery(event)).toMatchObject({ attempts: 1, lastStatus: 204, lastError: null, nextAttemptAtMs: null });
  });

  test('is signed by the old and the new secret for the time of grace, and then by the new one alone', async () => {
    const { start, endpoint, tell, desk, clock, stateOf } = delivering();
    const receiver = await WebhookReceiver.start();
    const { endpoint: made, secret: old } = await endpoint({ url: receiver.url });
    const { secret: fresh } = await desk.rotateSecret(made.id, 60_000);
    const deliverer = start();
    const accepts = async (secrets: readonly string[]): Promise<boolean[]> => {
      const event = await tell();
      deliverer.wake();
      await until(async () => (await stateOf(event)) === 'delivered', 'it is delivered');
      const message = receiver.received.at(-1);
      return secrets.map((secret) => {
        try {
          new Webhook(secret).verify(message?.body ?? '', message?.headers as Record<string, string>);
          return true;
        } catch {
          return false;
        }
      });
    };
    expect(await accepts([old, fresh])).toEqual([true, true]);
    clock.advance(60_000);
    expect(await accepts([old, fresh])).toEqual([false, true]);
  });

  test('is found without a call, when its time has come', async () => {
    const { start, endpoint, tell, clock, stateOf } = delivering();
    const receiver = await WebhookReceiver.start();
    await endpoint({ url: receiver.url });
    start();
    const event = await tell();
    await until(async () => {
      clock.advance(POLL_MS);
      return (await stateOf(event)) === 'delivered';
    }, 'it is delivered');
  });
});

describe('a delivery that fails', () => {
  test('is tried ten times over three days, ever later; then it is given up and the endpoint flagged until one succeeds', async () => {
    const { start, endpoint, tell, desk, clock, delivery, attemptsOf, stateOf } = delivering();
    const { endpoint: made } = await endpoint();
    const sent: string[] = [];
    let status = 503;
    const deliverer = start({
      send: ({ headers }) => {
        sent.push(headers['webhook-id'] ?? '');
        return Promise.resolve(status);
      },
    });
    const event = await tell();
    deliverer.wake();
    const hours = [5 / 3_600, 5 / 60, 0.5, 2, 5, 10, 14, 20, 24];
    for (const [i, delay] of hours.entries()) {
      await until(async () => (await attemptsOf(event)) === i + 1, `attempt ${i + 1} is noted`);
      const { nextAttemptAtMs, lastError } = await delivery(event);
      expect(lastError).toBe('It answered 503.');
      const waitMs = (nextAttemptAtMs ?? 0) - clock.wallMs();
      expect(Math.abs(waitMs / (delay * HOUR_MS) - 1)).toBeLessThanOrEqual(0.2);
      clock.advance(waitMs - 1);
      expect(sent).toHaveLength(i + 1);
      clock.advance(POLL_MS);
    }
    await until(async () => (await stateOf(event)) === 'failed', 'it is given up');
    expect(sent).toEqual(Array.from({ length: 10 }, () => event));
    expect((await desk.get(made.id)).failingSinceMs).toBe(clock.wallMs());
    status = 200;
    await desk.redeliver(event, null);
    deliverer.wake();
    await until(async () => (await stateOf(event)) === 'delivered', 'it is delivered by hand');
    expect(await desk.get(made.id)).toMatchObject({ failingSinceMs: null, state: { kind: 'enabled' } });
  });

  test('because no answer comes in time says so', async () => {
    const { start, endpoint, tell, clock, delivery, attemptsOf } = delivering();
    const receiver = await WebhookReceiver.start(hang);
    await endpoint({ url: receiver.url });
    const event = await tell();
    start();
    await until(() => receiver.received.length === 1, 'it arrives');
    clock.advance(9_999);
    expect(await attemptsOf(event)).toBe(0);
    clock.advance(1);
    await until(async () => (await attemptsOf(event)) === 1, 'it is noted');
    expect(await delivery(event)).toMatchObject({ state: 'pending', lastStatus: null, lastError: 'No answer within 10000 ms.' });
  });

  test('because nobody listens is tried again', async () => {
    const { start, endpoint, tell, delivery, attemptsOf } = delivering();
    await endpoint({ url: 'http://127.0.0.1:1/' });
    const event = await tell();
    start();
    await until(async () => (await attemptsOf(event)) === 1, 'it is noted');
    expect(await delivery(event)).toMatchObject({ state: 'pending', lastStatus: null, lastError: expect.stringContaining('ECONNREFUSED') });
  });

  test('because it is redirected goes nowhere else', async () => {
    const { start, endpoint, tell, delivery, attemptsOf } = delivering();
    const elsewhere = await WebhookReceiver.start();
    const receiver = await WebhookReceiver.start(answering(307, { location: elsewhere.url }));
    await endpoint({ url: receiver.url });
    const event = await tell();
    start();
    await until(async () => (await attemptsOf(event)) === 1, 'it is noted');
    expect(await delivery(event)).toMatchObject({ state: 'pending', lastStatus: 307, lastError: 'It answered 307; redirects are not followed.' });
    expect(elsewhere.connections).toBe(0);
  });

  test('because the endpoint is gone is not tried again, and the endpoint gets nothing more', async () => {
    const { start, endpoint, tell, desk, clock, stateOf } = delivering();
    const receiver = await WebhookReceiver.start(answering(410));
    const { endpoint: made } = await endpoint({ url: receiver.url });
    const event = await tell();
    start();
    await until(async () => (await stateOf(event)) === 'failed', 'it is given up');
    expect((await desk.get(made.id)).state).toEqual({ kind: 'disabled', atMs: clock.wallMs(), reason: 'gone' });
    expect((await desk.event(await tell())).deliveries).toEqual([]);
  });
});

describe('an endpoint', () => {
  test('that hangs holds up no other, and has two deliveries under way at most', async () => {
    const { start, endpoint, tell, stateOf } = delivering();
    const slow = await WebhookReceiver.start(hang);
    const quick = await WebhookReceiver.start();
    await endpoint({ url: slow.url });
    const { endpoint: good } = await endpoint({ url: quick.url });
    const events: string[] = [];
    for (let i = 0; i < 20; i += 1) events.push(await tell());
    start({ concurrency: 4 });
    for (const event of events) await until(async () => (await stateOf(event, good.id)) === 'delivered', 'the good one gets it');
    expect(slow.received).toHaveLength(2);
  });

  test('is sent a second event while it is still at the first', async () => {
    const { start, endpoint, tell } = delivering();
    const receiver = await WebhookReceiver.start(hang);
    await endpoint({ url: receiver.url });
    await tell();
    await tell();
    start();
    await until(() => receiver.received.length === 2, 'both are under way');
  });

  test('is one of no more than the bound that are sent to at once', async () => {
    const { start, endpoint, tell, clock } = delivering();
    for (let i = 0; i < 10; i += 1) await endpoint();
    await tell();
    let open = 0;
    let openMax = 0;
    let begun = 0;
    start({
      concurrency: 3,
      send: (_message, signal) => {
        begun += 1;
        open += 1;
        openMax = Math.max(openMax, open);
        return new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => {
            open -= 1;
            reject(new Error('too late'));
          });
        });
      },
    });
    await until(() => begun === 3, 'as many as may are under way');
    for (const count of [6, 9, 10]) {
      clock.advance(10_000);
      await until(() => begun >= count, 'the next ones are');
    }
    expect(openMax).toBe(3);
  });

  test('that answers without end is cut off, and its status counts', async () => {
    const { start, endpoint, tell, stateOf } = delivering();
    let isCut = false;
    const receiver = await WebhookReceiver.start((response) => {
      response.writeHead(200).on('close', () => (isCut = true));
      const more = (): void => void (response.destroyed || !response.write('x'.repeat(1_000), (error) => (error == null ? more() : undefined)));
      more();
    });
    await endpoint({ url: receiver.url });
    const event = await tell();
    start();
    await until(async () => (await stateOf(event)) === 'delivered', 'it counts as delivered');
    await until(() => isCut, 'the connection is closed');
  });

  test('whose answer never ends has received what it was sent', async () => {
    const { start, endpoint, tell, clock, stateOf } = delivering();
    const receiver = await WebhookReceiver.start((response) => void response.writeHead(200).write('a'));
    await endpoint({ url: receiver.url });
    const event = await tell();
    start();
    await until(() => receiver.received.length === 1, 'it arrives');
    await until(async () => {
      clock.advance(POLL_MS);
      return (await stateOf(event)) === 'delivered';
    }, 'it counts as delivered');
    expect(receiver.received).toHaveLength(1);
  });
});

describe('a process that dies', () => {
  test('between sending and noting has its successor send the same again, once', async () => {
    const { start, endpoint, tell, clock, store, stateOf } = delivering();
    const receiver = await WebhookReceiver.start();
    await endpoint({ url: receiver.url });
    const event = await tell();
    let isDead = false;
    // Dead is who notes nothing more, and claims nothing.
    const dying: WebhookQueue = {
      claim: (options) => (isDead ? Promise.resolve([]) : store.claim(options)),
      delivered: () => {
        isDead = true;
        return Promise.reject(new Error('killed'));
      },
      failed: () => Promise.reject(new Error('killed')),
    };
    const first = start({ queue: dying });
    await until(() => isDead, 'the first one is about to note it');
    await first.close();
    const second = start();
    second.wake();
    clock.advance(LEASE_MS - 1);
    expect(await stateOf(event)).toBe('pending');
    expect(receiver.received).toHaveLength(1);
    clock.advance(POLL_MS);
    await until(async () => (await stateOf(event)) === 'delivered', 'the second one delivers it');
    expect(receiver.received.map(({ headers }) => headers['webhook-id'])).toEqual([event, event]);
    expect(receiver.received[1]?.body).toBe(receiver.received[0]?.body);
  });

  test('or rather closes, ends what is under way and begins nothing new', async () => {
    const { start, endpoint, tell, stateOf } = delivering();
    const waiting: ServerResponse[] = [];
    const receiver = await WebhookReceiver.start((response) => void waiting.push(response));
    await endpoint({ url: receiver.url });
    const event = await tell();
    const deliverer = start();
    await until(() => waiting.length === 1, 'it is under way');
    const closed = deliverer.close();
    const late = await tell();
    waiting[0]?.writeHead(200).end();
    await closed;
    expect(await stateOf(event)).toBe('delivered');
    expect(await stateOf(late)).toBe('pending');
    expect(receiver.received).toHaveLength(1);
  });
});

test('a queue that cannot be read is asked again', async () => {
  const { start, endpoint, tell, clock, store, stateOf } = delivering();
  await endpoint();
  const event = await tell();
  let failures = 0;
  const flaky: WebhookQueue = {
    claim: (options) => (failures < 3 ? ((failures += 1), Promise.reject(new Error('busy'))) : store.claim(options)),
    delivered: (...note) => store.delivered(...note),
    failed: (...note) => store.failed(...note),
  };
  start({ queue: flaky, send: () => Promise.resolve(200) });
  await until(async () => {
    clock.advance(POLL_MS);
    return (await stateOf(event)) === 'delivered';
  }, 'it is delivered');
  expect(failures).toBe(3);
});
