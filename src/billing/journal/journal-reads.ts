import { MeridianError } from '../../core/index.ts';
import type { FromThread, ReadRequest, ToThread } from './journal-protocol.ts';

interface Call {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** Questions to the journal's thread and the promises of their answers. Bounded by `maxReads`. */
export class JournalReads {
  readonly #post: (message: ToThread) => void;
  readonly #maxReads: number;
  readonly #calls = new Map<number, Call>();
  #lastCall = 0;
  #ended: Error | null = null;

  constructor(post: (message: ToThread) => void, maxReads: number) {
    this.#post = post;
    this.#maxReads = maxReads;
  }

  /** The caller names the type that the thread answers this kind of request with. */
  ask<T>(request: ReadRequest): Promise<T> {
    if (this.#ended !== null) return Promise.reject(this.#ended);
    if (this.#calls.size >= this.#maxReads) {
      return Promise.reject(new MeridianError('overloaded', { message: 'Too many reads of the journal at once.' }));
    }
    const call = ++this.#lastCall;
    return new Promise<T>((resolve, reject) => {
      this.#calls.set(call, { resolve: (value) => resolve(value as T), reject });
      this.#post({ kind: 'read', call, request });
    });
  }

  receive(message: FromThread & { kind: 'answer' | 'unanswered' }): void {
    const call = this.#calls.get(message.call);
    this.#calls.delete(message.call);
    if (message.kind === 'answer') call?.resolve(message.value);
    else call?.reject(new MeridianError('internal_error', { message: 'The journal cannot be read.', cause: new Error(message.reason) }));
  }

  /** The thread will answer nothing more. */
  end(error: Error): void {
    this.#ended ??= error;
    for (const call of this.#calls.values()) call.reject(error);
    this.#calls.clear();
  }
}
