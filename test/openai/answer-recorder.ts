import type { Dispatcher } from 'undici';
import { AttemptError, readSettlement, type AnswerHandler, type Settlement } from '../../src/openai/index.ts';

type Headers = Readonly<Record<string, string | string[] | undefined>>;

/** Takes down an answer as whoever passes it on would see it. */
export class AnswerRecorder implements AnswerHandler {
  /** The calls by name, in order; data that follows data is one entry. */
  readonly calls: string[] = [];
  status: number | null = null;
  headers: Headers = {};
  settlement: Settlement | null = null;
  error: AttemptError | null = null;
  readonly #chunks: Buffer[] = [];

  get text(): string {
    return Buffer.concat(this.#chunks).toString();
  }

  onResponseStart(_controller: unknown, status: number, headers: Headers): void {
    this.calls.push('start');
    this.status = status;
    this.headers = headers;
  }

  onResponseData(_controller: unknown, chunk: Buffer): void {
    if (this.calls.at(-1) !== 'data') this.calls.push('data');
    this.#chunks.push(Buffer.from(chunk));
  }

  onResponseEnd(_controller: unknown, trailers: Headers): void {
    this.calls.push('end');
    this.settlement = readSettlement(trailers);
  }

  onResponseError(_controller: unknown, error: Error): void {
    this.calls.push('error');
    if (!(error instanceof AttemptError)) throw new Error('every failure of an attempt is an AttemptError', { cause: error });
    this.error = error;
    this.settlement = error.settlement;
  }
}

/** A controller whose connection is only its abort. */
export class AbortRecorder implements Dispatcher.DispatchController {
  paused = false;
  reason: Error | null = null;

  get aborted(): boolean {
    return this.reason !== null;
  }

  abort(reason: Error): void {
    this.reason = reason;
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
  }
}
