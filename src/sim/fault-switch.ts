import type { Rng } from '../core/index.ts';
import { NO_FAULTS, type FaultSet, type RequestFault } from './faults.ts';

/** The faults that are on in one engine now; says which of them hits the next request. */
export class FaultSwitch {
  #set: FaultSet;
  readonly #rng: Rng;
  readonly #onChange: (set: FaultSet) => void;

  constructor(rng: Rng, onChange: (set: FaultSet) => void) {
    this.#set = NO_FAULTS;
    this.#rng = rng;
    this.#onChange = onChange;
  }

  /** What is on, with the times that are left. */
  get current(): FaultSet {
    return this.#set;
  }

  /** Replaces all faults. */
  set(set: FaultSet): void {
    this.#set = set;
    this.#onChange(set);
  }

  clear(): void {
    this.set(NO_FAULTS);
  }

  /** The first fault that hits this request, with one of its times used up. */
  draw(): RequestFault | null {
    const requests = this.#set.requests;
    const at = requests.findIndex((fault) => fault.times !== 0 && (fault.probability === 1 || this.#rng.next() < fault.probability));
    const hit = requests[at];
    if (hit === undefined) return null;
    if (hit.times !== null) {
      const used = { ...hit, times: hit.times - 1 };
      this.#set = { ...this.#set, requests: requests.map((fault, i) => (i === at ? used : fault)) };
    }
    return hit;
  }
}
