import type { Priority } from '../core/index.ts';
import { FairQueue, type FairQueueOptions, type FairRequest } from './fair-queue.ts';
import type { TokenCost } from './service-shares.ts';

export interface EdgeHoldOptions extends FairQueueOptions {
  /** A request waits at the edge while every replica would keep it waiting longer than this. */
  readonly ttftObjectiveMs: number;
  /** The same for organisations that have much waiting, or were served far more than their share lately. */
  readonly overShareWaitMs: number;
  /** How long a request may wait, by class. */
  readonly deadlineMs: Readonly<Record<Priority, number>>;
}

/** A request at the edge of the fleet. Amounts in tokens. */
export interface Holdable extends TokenCost {
  readonly organization: string;
  readonly priority: Priority;
  /** The client's own bound on waiting, in milliseconds; null without one. */
  readonly deadlineMs: number | null;
  /** Sends it if some replica would keep it waiting no longer than `waitMsMax`; false, and nothing done, if none would. */
  place(waitMsMax: number): boolean;
  /** It has waited in vain, or is in the way of others. */
  refuse(retryAfterMs: number): void;
}

/** An organisation with so many requests waiting asks for more than there is, whatever it was served. */
const MUCH_WAITING = 16;

/**
 * Decides whether requests for one model go at once or wait at the edge, and lets them go in fair order. They wait here and not
 * in engines: there nobody could reorder them, and a better replica that comes free would stay idle.
 */
export class EdgeHold {
  #options: EdgeHoldOptions;
  readonly #queue: FairQueue<Holdable>;

  constructor(options: EdgeHoldOptions) {
    this.#options = options;
    this.#queue = new FairQueue(options);
  }

  /** Other bounds from now on, for those who wait already, too; what they were promised of time stays. */
  reconfigure(options: EdgeHoldOptions): void {
    this.#options = options;
    this.#queue.reconfigure(options);
  }

  get waiting(): number {
    return this.#queue.length;
  }

  /** Whether anybody of the organisation waits. */
  waitingOf(organization: string): number {
    return this.#queue.waitingOf(organization);
  }

  /** A request came: it is placed at once, or waits; returns the way to take it out again, null when it was placed. */
  arrive(request: Holdable, now: number): (() => void) | null {
    const { organization, priority, inputTokens, outputTokens } = request;
    // Who has requests waiting already does not overtake them.
    if (this.#queue.waitingOf(organization) === 0 && request.place(this.#waitMsMax(request, now))) {
      this.#queue.shares.add(organization, request, now);
      return null;
    }
    const bound = this.#options.deadlineMs[priority];
    const deadlineMs = now + Math.min(bound, request.deadlineMs ?? bound);
    const entry: FairRequest<Holdable> = { item: request, organization, priority, inputTokens, outputTokens, deadlineMs };
    const dropped = this.#queue.enter(entry, now);
    if (dropped !== null) this.#refuse(dropped, now);
    return () => void this.#queue.remove(entry);
  }

  /** Room may have come: places what can be placed, at most `placedMax`; returns how many were. */
  pump(now: number, placedMax?: number): number {
    if (this.#queue.length === 0) return 0;
    return this.#queue.pump(now, ({ item }) => item.place(this.#waitMsMax(item, now)), placedMax);
  }

  /** Refuses those whose time is over. */
  expire(now: number): void {
    if (this.#queue.length === 0) return;
    for (const late of this.#queue.expire(now)) this.#refuse(late, now);
  }

  /** A request turned out to have taken more or less than was estimated. */
  correct(organization: string, difference: TokenCost, now: number): void {
    this.#queue.shares.add(organization, difference, now);
  }

  #refuse({ item, organization, priority }: FairRequest<Holdable>, now: number): void {
    item.refuse(this.#queue.retryAfterMs(organization, priority, now));
  }

  /** The room that others leave in engines while they have much waiting is there for the critical class. */
  #waitMsMax({ organization, priority }: Pick<Holdable, 'organization' | 'priority'>, now: number): number {
    const { ttftObjectiveMs, overShareWaitMs } = this.#options;
    if (priority === 'critical') return ttftObjectiveMs;
    const hasTooMuch = this.#queue.waitingOf(organization) >= MUCH_WAITING || this.#queue.shares.isOverShare(organization, now);
    return hasTooMuch ? overShareWaitMs : ttftObjectiveMs;
  }
}
