import { MeridianError } from '../core/index.ts';

/** Leave to be in the gateway. `release` must be called exactly once. */
export interface InFlightPermit {
  release(): void;
}

/** Bounds the requests under way, so that a gateway sheds early and cheaply instead of sinking. */
export class InFlightLimit {
  #max: number;
  #inFlight = 0;

  constructor(max: number) {
    this.#max = max;
  }

  /** Another bound from now on; what is under way beyond it stays. */
  reconfigure(max: number): void {
    this.#max = max;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  /** Share of those that may be. */
  get share(): number {
    return this.#inFlight / this.#max;
  }

  /** Throws `overloaded` when the gateway is full. */
  enter(): InFlightPermit {
    if (this.#inFlight >= this.#max) {
      throw new MeridianError('overloaded', { message: 'This gateway is full; try again shortly.', retryAfterMs: 1000 });
    }
    this.#inFlight += 1;
    let isReleased = false;
    return {
      release: () => {
        if (isReleased) throw new Error('an in-flight permit was released twice');
        isReleased = true;
        this.#inFlight -= 1;
      },
    };
  }
}
