import type { TokenNews } from './attempt.ts';
import type { ChoiceTokens } from './choice-tokens.ts';
import type { Usage } from './usage.ts';

/**
 * Which tokens the text of a stream is made of, told piece by piece. An engine may hold text back (half a character, what
 * may become a stop sequence): the ids of such tokens wait for the text that shows them, so that ids and text told so far
 * always say the same.
 */
export class TokenTally {
  #waiting: number[] = [];
  #ids: number[] = [];
  #promptIds: number[] = [];
  #usage: Usage | null = null;

  /** An event came, with the running count if the engine keeps one. */
  add({ ids, promptIds, hasText }: Omit<ChoiceTokens, 'json'>, usage: Usage | null, isFinished: boolean): void {
    this.#waiting.push(...ids);
    if (promptIds.length > 0) this.#promptIds = [...promptIds];
    if (!hasText && !isFinished) return;
    this.#ids.push(...this.#waiting.splice(0));
    this.#usage = usage ?? this.#usage;
  }

  /** What there is to tell since it was last taken; null when the engine keeps no count. */
  take(): TokenNews | null {
    if (this.#usage === null) return null;
    const news = { usage: this.#usage, ids: this.#ids, promptIds: this.#promptIds };
    this.#ids = [];
    this.#promptIds = [];
    return news;
  }
}
