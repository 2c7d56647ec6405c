import type { Cancel, Clock, Logger, Rng } from '../../core/index.ts';
import type { SecretSeal } from './secret-seal.ts';
import type { AfterFailure, WebhookJob, WebhookQueue } from './webhook-queue.ts';
import { retryDelayMs } from './webhook-schedule.ts';
import type { SendWebhook } from './webhook-send.ts';
import { signatureHeaders } from './webhook-signature.ts';

export interface WebhookDeliveryOptions {
  readonly queue: WebhookQueue;
  readonly send: SendWebhook;
  readonly seal: SecretSeal;
  readonly clock: Clock;
  readonly rng: Rng;
  readonly log: Logger;
  /** As `Meridian/1.2.3`. */
  readonly userAgent: string;
  /** For an answer, from the look-up of the name on. Default 10,000. */
  readonly timeoutMs?: number;
  /** Deliveries under way at once. Default 32. */
  readonly concurrency?: number;
  /** And to one endpoint, so that one that hangs holds up no other. Default 2. */
  readonly endpointConcurrency?: number;
  /** How often the queue is looked at without being told. Default 1,000. */
  readonly pollMs?: number;
}

const GONE = 410;
/** What a delivery may take beyond the timeout, before it counts as lost. */
const LEASE_MARGIN_MS = 30_000;

/** Sends what is due, at least once, until it is closed. What is under way when the process dies is sent again by the next one. */
export class WebhookDeliverer {
  readonly #options: Required<WebhookDeliveryOptions>;
  readonly #stopPolling: Cancel;
  readonly #underWay = new Set<Promise<void>>();
  readonly #byEndpoint = new Map<string, number>();
  #look: Promise<void> = Promise.resolve();
  #isLooking = false;
  #isLookWanted = false;
  #isClosed = false;

  constructor(options: WebhookDeliveryOptions) {
    this.#options = { timeoutMs: 10_000, concurrency: 32, endpointConcurrency: 2, pollMs: 1_000, ...options };
    this.#stopPolling = this.#options.clock.every(this.#options.pollMs, () => this.wake());
    this.wake();
  }

  /** Looks at the queue now. */
  wake(): void {
    this.#isLookWanted = true;
    if (this.#isClosed || this.#isLooking) return;
    this.#isLooking = true;
    this.#look = this.#lookAtQueue();
  }

  /** Begins nothing new; resolves when what is under way has ended, which the timeout bounds. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#stopPolling();
    await this.#look;
    await Promise.all(this.#underWay);
  }

  /** Claims until nothing is due or nothing more fits. Never rejects. */
  async #lookAtQueue(): Promise<void> {
    while (this.#isLookWanted && !this.#isClosed) {
      this.#isLookWanted = false;
      const limit = this.#options.concurrency - this.#underWay.size;
      // A claim gives one per endpoint; there may be more.
      if (limit > 0 && (await this.#beginUpTo(limit)) > 0) this.#isLookWanted = true;
    }
    // In the same turn as the last look at what is wanted, or a call between the two would be lost.
    this.#isLooking = false;
  }

  /** How many it began. */
  async #beginUpTo(limit: number): Promise<number> {
    const { queue, clock, log, timeoutMs, endpointConcurrency } = this.#options;
    const except = [...this.#byEndpoint].filter(([, count]) => count >= endpointConcurrency).map(([endpoint]) => endpoint);
    try {
      const jobs = await queue.claim({ nowMs: clock.wallMs(), limit, leaseMs: timeoutMs + LEASE_MARGIN_MS, except });
      for (const job of jobs) this.#begin(job);
      return jobs.length;
    } catch (error) {
      log.warn({ err: error }, 'The webhook queue cannot be read; it is tried again.');
      return 0;
    }
  }

  #begin(job: WebhookJob): void {
    this.#byEndpoint.set(job.endpoint, (this.#byEndpoint.get(job.endpoint) ?? 0) + 1);
    const delivery = this.#deliver(job)
      .catch((error: unknown) => this.#options.log.warn({ err: error, event: job.event, endpoint: job.endpoint }, 'What became of a webhook cannot be noted; it will be sent again.'))
      .finally(() => {
        this.#underWay.delete(delivery);
        const left = (this.#byEndpoint.get(job.endpoint) ?? 1) - 1;
        if (left === 0) this.#byEndpoint.delete(job.endpoint);
        else this.#byEndpoint.set(job.endpoint, left);
        this.wake();
      });
    this.#underWay.add(delivery);
  }

  async #deliver(job: WebhookJob): Promise<void> {
    const { queue, clock, log } = this.#options;
    const { status, error } = await this.#attempt(job);
    const nowMs = clock.wallMs();
    if (error === null) return queue.delivered(job, nowMs, status);
    const next = this.#afterFailure(job, status, nowMs);
    if (next.kind !== 'retry') log.warn({ event: job.event, endpoint: job.endpoint, status, reason: error }, 'A webhook is given up.');
    return queue.failed(job, { nowMs, status, error, next });
  }

  #afterFailure({ attempts }: WebhookJob, status: number | null, nowMs: number): AfterFailure {
    if (status === GONE) return { kind: 'gone' };
    const delayMs = retryDelayMs(attempts + 1, this.#options.rng);
    return delayMs === null ? { kind: 'give_up' } : { kind: 'retry', atMs: nowMs + delayMs };
  }

  async #attempt(job: WebhookJob): Promise<AttemptEnd> {
    const { send, seal, clock, timeoutMs, userAgent } = this.#options;
    const timeout = new AbortController();
    const cancel = clock.after(timeoutMs, () => timeout.abort(new Error(`No answer within ${timeoutMs} ms.`)));
    try {
      const secrets = job.secrets.map(({ sealed }) => seal.open(sealed, job.endpoint));
      const signed = signatureHeaders({ id: job.event, body: job.payload, wallMs: clock.wallMs(), secrets });
      const headers = { 'content-type': 'application/json', 'user-agent': userAgent, ...signed };
      const status = await send({ url: job.url, headers, body: job.payload }, timeout.signal);
      return status >= 200 && status <= 299 ? { status, error: null } : { status, error: refusal(status) };
    } catch (error) {
      return { status: null, error: timeout.signal.aborted ? messageOf(timeout.signal.reason) : messageOf(error) };
    } finally {
      cancel();
    }
  }
}

type AttemptEnd = { readonly status: number; readonly error: null } | { readonly status: number | null; readonly error: string };

function refusal(status: number): string {
  return status >= 300 && status <= 399 ? `It answered ${status}; redirects are not followed.` : `It answered ${status}.`;
}

function messageOf(error: unknown): string {
  return error instanceof Error && error.message !== '' ? error.message : String(error);
}
