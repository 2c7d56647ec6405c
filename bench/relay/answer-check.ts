import { ANSWER_TEXT, TOKENS_PER_STREAM } from './answer.ts';

const EVENT_END = Buffer.from('\n\n');
const CONTENT = Buffer.from('"content":"');
const DONE = Buffer.from('data: [DONE]');
const ANSWER = Buffer.from(ANSWER_TEXT);
const QUOTE = 0x22;

/** Checks one answer as its body arrives. */
export interface AnswerCheck {
  take(bytes: Buffer): void;
  /** A token, or in an answer that is not streamed any byte, has come. */
  readonly hasBegun: boolean;
  /** What is wrong with the answer now that it has ended, or undefined. */
  fault(): string | undefined;
}

/** Expects the whole text within the body. */
export class JsonCheck implements AnswerCheck {
  #body: Buffer = Buffer.alloc(0);

  take(bytes: Buffer): void {
    this.#body = Buffer.concat([this.#body, bytes]);
  }

  get hasBegun(): boolean {
    return this.#body.length > 0;
  }

  fault(): string | undefined {
    return this.#body.includes(ANSWER) ? undefined : `not the answer: ${this.#body.toString('utf8', 0, 200)}`;
  }
}

/**
 * Expects 64 tokens and then `[DONE]`. Counting bytes is cheap enough for every stream; with `readsText` it also
 * parses each event and compares the text, which is done for some streams only.
 */
export class StreamCheck implements AnswerCheck {
  readonly #readsText: boolean;
  #rest: Buffer = Buffer.alloc(0);
  #tokens = 0;
  #isDone = false;
  #text = '';
  #oddEvent: string | undefined;

  constructor(readsText: boolean) {
    this.#readsText = readsText;
  }

  take(arrived: Buffer): void {
    const bytes = this.#rest.length === 0 ? arrived : Buffer.concat([this.#rest, arrived]);
    let from = 0;
    for (let end = bytes.indexOf(EVENT_END); end !== -1; end = bytes.indexOf(EVENT_END, from)) {
      this.#readEvent(bytes, from, end);
      from = end + EVENT_END.length;
    }
    this.#rest = Buffer.from(bytes.subarray(from));
  }

  get hasBegun(): boolean {
    return this.#tokens > 0;
  }

  fault(): string | undefined {
    if (this.#oddEvent !== undefined) return this.#oddEvent;
    if (this.#tokens !== TOKENS_PER_STREAM) return `${this.#tokens} tokens instead of ${TOKENS_PER_STREAM}`;
    if (!this.#isDone) return 'no [DONE] at the end';
    if (this.#readsText && this.#text !== ANSWER_TEXT) return `not the text: ${this.#text.slice(0, 100)}`;
    return undefined;
  }

  #readEvent(bytes: Buffer, from: number, end: number): void {
    if (this.#isDone) this.#oddEvent ??= 'an event after [DONE]';
    const content = bytes.indexOf(CONTENT, from);
    const hasToken = content !== -1 && content < end && bytes[content + CONTENT.length] !== QUOTE;
    if (hasToken) this.#tokens += 1;
    else if (bytes.compare(DONE, 0, DONE.length, from, end) === 0) this.#isDone = true;
    if (this.#readsText && !this.#isDone) this.#text += eventText(bytes.toString('utf8', from, end));
  }
}

function eventText(event: string): string {
  if (!event.startsWith('data: {')) return '';
  const chunk = JSON.parse(event.slice('data: '.length)) as { choices?: { delta?: { content?: string | null } }[] };
  return chunk.choices?.[0]?.delta?.content ?? '';
}
