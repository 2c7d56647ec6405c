/** What was let in while Redis was away, by window and second: to be added once it is back. */
export class AwayCounts {
  readonly #windows = new Map<string, Map<number, { requests: number; tokens: number }>>();
  readonly #windowsMax: number;

  /** `windowsMax`: windows that are remembered; what is let in beyond them is not added later. */
  constructor(windowsMax: number) {
    this.#windowsMax = windowsMax;
  }

  get isEmpty(): boolean {
    return this.#windows.size === 0;
  }

  add(window: string, second: number, requests: number, tokens: number): void {
    const seconds = this.#windows.get(window) ?? new Map<number, { requests: number; tokens: number }>();
    if (!this.#windows.has(window) && this.#windows.size >= this.#windowsMax) return;
    this.#windows.set(window, seconds);
    const at = seconds.get(second) ?? { requests: 0, tokens: 0 };
    seconds.set(second, { requests: at.requests + requests, tokens: at.tokens + tokens });
  }

  /** Takes all of them out. */
  take(): ReadonlyMap<string, ReadonlyMap<number, { readonly requests: number; readonly tokens: number }>> {
    const taken = new Map(this.#windows);
    this.#windows.clear();
    return taken;
  }
}
