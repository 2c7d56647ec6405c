import { eventData, isDone, SseSplitter } from '../openai/index.ts';

/** Bytes kept raw before they are read: most streams end whole, and nothing of them is ever parsed. */
const RAW_BYTES_MAX = 64 * 1024;
const RAW_BYTES_FIRST = 4 * 1024;
const EVENT_BYTES_MAX = 16 * 1024 * 1024;

/** What the events of a stream have in common, and what a client has got of its one choice. */
export interface DeliveredAnswer {
  readonly id: string;
  readonly created: number;
  readonly model: string;
  readonly object: string;
  readonly text: string;
  readonly reasoning: string;
  readonly finishReason: string | null;
  readonly hasToolCalls: boolean;
}

type Reading = { -readonly [K in keyof DeliveredAnswer]: DeliveredAnswer[K] };

/** Keeps what a client has got of a stream, so that it can go on elsewhere. */
export class Delivered {
  #raw: Buffer = Buffer.alloc(0);
  #rawLength = 0;
  #read: Reading | null = null;
  readonly #splitter = new SseSplitter(EVENT_BYTES_MAX);

  /** The bytes are copied: they are a view into a message that holds those of many streams. */
  add(bytes: Buffer): void {
    if (this.#rawLength + bytes.length > RAW_BYTES_MAX) this.#readRaw();
    if (this.#rawLength + bytes.length > this.#raw.length) this.#grow(this.#rawLength + bytes.length);
    this.#rawLength += bytes.copy(this.#raw, this.#rawLength);
  }

  /** Null when nothing was delivered that could be gone on with. */
  read(): DeliveredAnswer | null {
    this.#readRaw();
    return this.#read;
  }

  #grow(least: number): void {
    const grown = Buffer.allocUnsafeSlow(Math.max(RAW_BYTES_FIRST, least, Math.min(RAW_BYTES_MAX, this.#raw.length * 2)));
    this.#raw.copy(grown, 0, 0, this.#rawLength);
    this.#raw = grown;
  }

  #readRaw(): void {
    // Copied, for what the splitter keeps of it must not be written over.
    const raw = Buffer.from(this.#raw.subarray(0, this.#rawLength));
    this.#rawLength = 0;
    this.#splitter.push(raw, (event) => {
      const data = eventData(event);
      if (data !== null && !isDone(data)) this.#take(JSON.parse(data.toString()));
    });
  }

  #take(event: unknown): void {
    const choices: unknown = member(event, 'choices');
    const choice: unknown = Array.isArray(choices) ? choices[0] : undefined;
    if (choice === undefined) return;
    const read = (this.#read ??= opening(event));
    const said: unknown = member(choice, 'delta') ?? choice;
    read.text += text(said, 'content') + text(said, 'text');
    read.reasoning += text(said, 'reasoning_content') + text(said, 'reasoning');
    read.hasToolCalls ||= isSome(member(said, 'tool_calls')) || isSome(member(said, 'function_call'));
    const reason: unknown = member(choice, 'finish_reason');
    if (typeof reason === 'string') read.finishReason = reason;
  }
}

function opening(event: unknown): Reading {
  const created: unknown = member(event, 'created');
  return {
    id: text(event, 'id'),
    created: typeof created === 'number' ? created : 0,
    model: text(event, 'model'),
    object: text(event, 'object'),
    text: '',
    reasoning: '',
    finishReason: null,
    hasToolCalls: false,
  };
}

function member(value: unknown, name: string): unknown {
  return Reflect.get(Object(value), name);
}

function text(value: unknown, name: string): string {
  const found = member(value, name);
  return typeof found === 'string' ? found : '';
}

function isSome(value: unknown): boolean {
  return value != null && !(Array.isArray(value) && value.length === 0);
}
