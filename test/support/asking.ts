import { request, type ClientRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { until } from './until.ts';

/** Where a request goes, and with which key: a `TestFleet`, or a gateway process. */
export interface Asked {
  readonly publicUrl: string;
  readonly apiKey: string;
}

export interface AskOptions {
  /** Below `/v1`. */
  readonly path?: string;
  /** Beside the usual ones. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Bytes after which the client stops reading, until `readOn`. */
  readonly stopAfterBytes?: number;
}

/**
 * One request of a client that sees everything: what came, whether it was whole, and how it broke. It has a connection
 * of its own, and can leave at any moment.
 */
export class Asking {
  status = 0;
  headers: IncomingHttpHeaders = {};
  text = '';
  bytes = 0;
  /** The answer's framing says that it is whole. */
  isWhole = false;
  isOver = false;
  isSent = false;
  readonly #request: ClientRequest;
  #response: IncomingMessage | null = null;
  #hasLeft = false;
  #stopAfterBytes: number;

  constructor({ publicUrl, apiKey }: Asked, body: object, options: AskOptions = {}) {
    this.#stopAfterBytes = options.stopAfterBytes ?? Infinity;
    this.#request = request(`${publicUrl}${options.path ?? '/chat/completions'}`, {
      method: 'POST',
      agent: false,
      headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json', ...options.headers },
    });
    this.#request.on('response', (response) => this.#read(response));
    this.#request.on('error', () => (this.isOver = true));
    this.#request.on('close', () => (this.isOver = true));
    this.#request.end(JSON.stringify(body), () => (this.isSent = true));
  }

  get hasLeft(): boolean {
    return this.#hasLeft;
  }

  get requestId(): string {
    return String(this.headers['x-request-id']);
  }

  /** The JSON of each event, `[DONE]` left out. */
  get events(): Record<string, unknown>[] {
    const data = this.text.split('\n\n').filter((event) => event.startsWith('data: ') && event !== 'data: [DONE]');
    return data.map((event) => JSON.parse(event.slice(6)) as Record<string, unknown>);
  }

  get isDone(): boolean {
    return this.text.endsWith('data: [DONE]\n\n');
  }

  /** The client's own proof that the answer is whole: `[DONE]`, or all of a body. */
  get isAcknowledged(): boolean {
    return this.isWhole && this.status === 200 && (this.isDone || !this.text.startsWith('data: '));
  }

  /** The error object: of the body, or of the last event. */
  get error(): Record<string, unknown> | null {
    const last = this.text.startsWith('data: ') ? this.events.at(-1) : this.text === '' ? null : (JSON.parse(this.text) as object);
    return (Reflect.get(Object(last), 'error') as Record<string, unknown> | undefined) ?? null;
  }

  get json(): Record<string, unknown> {
    return JSON.parse(this.text) as Record<string, unknown>;
  }

  /** What the answer says, streamed or not. */
  get content(): string {
    const pieces = this.text.startsWith('data: ') ? this.events : [this.json];
    return pieces.map(contentOf).join('');
  }

  leave(): void {
    this.#hasLeft = true;
    this.#request.destroy();
  }

  readOn(): void {
    this.#stopAfterBytes = Infinity;
    this.#response?.resume();
  }

  /** Resolves with itself once nothing more will come. */
  async over(): Promise<this> {
    await until(() => this.isOver, 'an answer is over');
    return this;
  }

  #read(response: IncomingMessage): void {
    this.#response = response;
    this.status = response.statusCode ?? 0;
    this.headers = response.headers;
    response.on('data', (chunk: Buffer) => {
      this.text += chunk.toString();
      this.bytes += chunk.length;
      if (this.bytes > this.#stopAfterBytes) response.pause();
    });
    response.on('end', () => (this.isWhole = response.complete));
    response.on('error', () => (this.isOver = true));
    response.on('close', () => (this.isOver = true));
  }
}

function contentOf(piece: Record<string, unknown>): string {
  const [choice] = (piece['choices'] ?? []) as { text?: string; delta?: { content?: string }; message?: { content?: string } }[];
  return choice?.text ?? choice?.delta?.content ?? choice?.message?.content ?? '';
}
