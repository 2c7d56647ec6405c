import { EdgeHold, type EdgeHoldOptions, type TokenCost } from '../admission/index.ts';
import { endOfTurn, MeridianError, type Clock, type Priority } from '../core/index.ts';

/** Who waits, and for what. */
export interface Waiting<Found> extends TokenCost {
  readonly model: string;
  readonly organization: string;
  readonly priority: Priority;
  readonly deadlineMs: number | null;
  /** Looks for a place that keeps the request waiting no longer than `waitMsMax`; null when there is none now. */
  find(waitMsMax: number): Found | null;
  /** Calls the listener if the client leaves. */
  onGone(listener: () => void): void;
}

/** Where requests wait at the edge of the fleet, each for its model, until a replica has room or their time is over. */
export class WaitingRoom {
  #options: EdgeHoldOptions;
  readonly #clock: Clock;
  readonly #holds = new Map<string, EdgeHold>();
  #isPumpDue = false;

  constructor(options: EdgeHoldOptions, clock: Clock) {
    this.#options = options;
    this.#clock = clock;
  }

  /** Other bounds from now on. */
  reconfigure(options: EdgeHoldOptions): void {
    this.#options = options;
    for (const hold of this.#holds.values()) hold.reconfigure(options);
  }

  /** Requests that wait, by model. */
  *waiting(): Iterable<readonly [model: string, count: number]> {
    for (const [model, hold] of this.#holds) yield [model, hold.waiting];
  }

  /**
   * Resolves with what was found and how long that took. Rejects with `rate_limit_exceeded` when the time is over, with
   * `client_closed_request` when the client leaves, and with what `find` throws at the first look.
   */
  enter<Found>(request: Waiting<Found>): Promise<{ readonly found: Found; readonly heldMs: number }> {
    const startedMs = this.#clock.now();
    let hasToWait = false;
    return new Promise((resolve, reject) => {
      const leave = this.#holdOf(request.model).arrive(
        {
          ...request,
          place: (waitMsMax) => {
            const found = request.find(waitMsMax);
            if (found === null) return false;
            resolve({ found, heldMs: hasToWait ? this.#clock.now() - startedMs : 0 });
            return true;
          },
          refuse: (retryAfterMs) => reject(new MeridianError('rate_limit_exceeded', { message: FULL, retryAfterMs })),
        },
        startedMs,
      );
      if (leave === null) return;
      hasToWait = true;
      request.onGone(() => {
        leave();
        reject(new MeridianError('client_closed_request'));
      });
    });
  }

  /**
   * Room may have come: looks once the event loop has read what was ready. One request is placed a turn, so that the next one
   * is ranked when that one has been sent.
   */
  roomMayHaveCome(): void {
    if (this.#isPumpDue || !this.#isAnyWaiting()) return;
    this.#isPumpDue = true;
    endOfTurn(() => {
      this.#isPumpDue = false;
      const now = this.#clock.now();
      let placed = 0;
      for (const hold of this.#holds.values()) placed += hold.pump(now, 1);
      if (placed > 0) this.roomMayHaveCome();
    });
  }

  /** Refuses those whose time is over. */
  expire(now: number): void {
    for (const hold of this.#holds.values()) hold.expire(now);
    this.roomMayHaveCome();
  }

  /** A request took more or less than was estimated. */
  correct(model: string, organization: string, difference: TokenCost): void {
    this.#holdOf(model).correct(organization, difference, this.#clock.now());
  }

  #isAnyWaiting(): boolean {
    for (const hold of this.#holds.values()) if (hold.waiting > 0) return true;
    return false;
  }

  /** Models are the configured ones: the map is bounded by them. */
  #holdOf(model: string): EdgeHold {
    let hold = this.#holds.get(model);
    if (hold === undefined) {
      hold = new EdgeHold(this.#options);
      this.#holds.set(model, hold);
    }
    return hold;
  }
}

const FULL = 'All replicas are busy, and this request has waited as long as it may; try again later.';
