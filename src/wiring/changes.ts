import type { Kysely } from 'kysely';
import type { Clock, Logger } from '../core/index.ts';
import { readRevisions } from '../store/index.ts';

/** What gateways that share a database change under each other's hands. */
export type Changing = 'accounts' | 'nodes' | 'prices' | 'spending';

export interface ChangesOptions {
  readonly db: Kysely<unknown>;
  readonly everyMs: number;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Looks for what other gateways changed: at once when it is told, and at every beat by a number in the database. */
export class Changes {
  readonly #options: ChangesOptions;
  readonly #acts = new Map<string, (() => unknown)[]>();
  #seen: ReadonlyMap<string, number> | null = null;
  #underWay: Promise<void> | null = null;
  readonly #stop: () => void;
  readonly #onLook: ((atMs: number) => void)[] = [];
  #publish: (what: string) => void = () => {};

  constructor(options: ChangesOptions) {
    this.#options = options;
    this.#stop = options.clock.every(options.everyMs, () => void this.look());
  }

  /** `act` brings what this gateway knows up to date. It is done again at the next change when it fails. */
  on(what: Changing, act: () => unknown): void {
    this.#acts.set(what, [...(this.#acts.get(what) ?? []), act]);
  }

  /** `act` is told when it was looked, monotonic, after everything is brought up to date that had changed by then. */
  onLook(act: (atMs: number) => void): void {
    this.#onLook.push(act);
  }

  /** `publish` brings the news of what is changed here to other gateways sooner than they look. */
  set publish(publish: (what: string) => void) {
    this.#publish = publish;
  }

  /** This gateway has changed it. */
  tell(what: Changing): void {
    this.#publish(what);
  }

  /** Somebody changed it; unknown words are of gateways of another version. */
  async told(what: string): Promise<void> {
    for (const act of this.#acts.get(what) ?? []) {
      try {
        await act();
      } catch (error) {
        this.#seen = null;
        this.#options.log.warn({ what, error: String(error) }, 'what another gateway changed could not be looked at; it is tried again');
      }
    }
  }

  /** Resolves when all is done that the database tells now, or it cannot be asked. */
  async look(): Promise<void> {
    this.#underWay ??= this.#look().finally(() => {
      this.#underWay = null;
    });
    await this.#underWay;
  }

  async close(): Promise<void> {
    this.#stop();
    await this.#underWay;
  }

  async #look(): Promise<void> {
    const atMs = this.#options.clock.now();
    let now: ReadonlyMap<string, number>;
    try {
      now = await readRevisions(this.#options.db);
    } catch {
      // The next beat looks again; whoever needs to know that the database is away sees it for himself.
      return;
    }
    const before = this.#seen;
    this.#seen = now;
    for (const what of this.#acts.keys()) if (before === null || before.get(what) !== now.get(what)) await this.told(what);
    for (const act of this.#onLook) act(atMs);
  }
}
