import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';
import type { Clock } from '../../core/index.ts';
import { openDatabase, transaction } from '../../store/index.ts';

export interface AnswerStoreOptions {
  /** The SQLite file, in a locked data directory. */
  readonly path: string;
  /** 32 secret bytes under which keys are hashed and answers encrypted; the same for the life of the file. */
  readonly secret: Buffer;
  /** How long a key is known. */
  readonly ttlMs: number;
  /** Of all answers together: beyond it the oldest are dropped. */
  readonly bytesMax: number;
  readonly clock: Clock;
}

/** An answer as the client got it. */
export interface StoredAnswer {
  readonly requestId: string;
  readonly contentType: string;
  readonly body: Buffer;
}

export type KeyState =
  | { readonly kind: 'new' }
  /** The first request with it is under way. */
  | { readonly kind: 'running'; readonly requestId: string }
  /** It was used for something else. */
  | { readonly kind: 'other' }
  | { readonly kind: 'answered'; readonly answer: StoredAnswer }
  /** Its request is over and its answer is not there: it did not end well, was too large, or was dropped. */
  | { readonly kind: 'gone'; readonly requestId: string };

const MIGRATIONS = [
  `
  CREATE TABLE answers (
    key BLOB PRIMARY KEY,
    fingerprint BLOB NOT NULL,
    request_id TEXT NOT NULL,
    process TEXT NOT NULL,
    state TEXT NOT NULL,
    content_type TEXT,
    body BLOB,
    bytes INTEGER NOT NULL,
    begun_at_ms INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX answers_by_time ON answers (begun_at_ms);
  `,
];
const EXPIRE_MS = 60_000;
const IV_BYTES = 12;
const TAG_BYTES = 16;

/**
 * What was asked with an idempotency key, and what was answered. A key is written down before its request is dispatched, so that
 * a process that dies in between leaves a trace of it: nothing is done twice for one key.
 */
export class AnswerStore {
  readonly #db: DatabaseSync;
  readonly #options: AnswerStoreOptions;
  /** Requests of other processes that are not over never will be. */
  readonly #process = randomBytes(8).toString('hex');
  readonly #stop: () => void;
  #bytes: number;

  constructor(options: AnswerStoreOptions) {
    this.#options = options;
    this.#db = openDatabase(options.path, { migrations: MIGRATIONS });
    this.#bytes = Number(this.#db.prepare('SELECT COALESCE(SUM(bytes), 0) AS bytes FROM answers').get()?.['bytes']);
    this.#stop = options.clock.every(EXPIRE_MS, () => this.#expire());
  }

  /** Looks the key up, and takes it for `requestId` if it is new. `scope` and `key` together name it; `asked` is all that must be the same. */
  begin(scope: string, key: string, asked: readonly (string | Buffer)[], requestId: string): KeyState {
    const name = this.#hash([scope, '\0', key]);
    const fingerprint = this.#hash(asked);
    return transaction(this.#db, () => {
      const row = this.#db.prepare('SELECT * FROM answers WHERE key = ? AND begun_at_ms > ?').get(name, this.#options.clock.wallMs() - this.#options.ttlMs);
      if (row === undefined) {
        this.#remove(name);
        this.#db
          .prepare("INSERT INTO answers (key, fingerprint, request_id, process, state, bytes, begun_at_ms) VALUES (?, ?, ?, ?, 'running', 0, ?)")
          .run(name, fingerprint, requestId, this.#process, this.#options.clock.wallMs());
        return { kind: 'new' };
      }
      const first = String(row['request_id']);
      if (!fingerprint.equals(row['fingerprint'] as Uint8Array)) return { kind: 'other' };
      if (row['state'] === 'running' && row['process'] === this.#process) return { kind: 'running', requestId: first };
      const body = row['body'] instanceof Uint8Array ? this.#opened(Buffer.from(row['body']), name) : null;
      return body === null ? { kind: 'gone', requestId: first } : { kind: 'answered', answer: { requestId: first, contentType: String(row['content_type']), body } };
    });
  }

  /** Durable when this returns. */
  answered(scope: string, key: string, contentType: string, body: Buffer): void {
    const name = this.#hash([scope, '\0', key]);
    const sealed = this.#sealed(body, name);
    this.#db.prepare("UPDATE answers SET state = 'over', content_type = ?, body = ?, bytes = ? WHERE key = ?").run(contentType, sealed, sealed.length, name);
    this.#bytes += sealed.length;
    this.#dropOldest();
  }

  /** The request is over, and its answer is not kept. */
  gone(scope: string, key: string): void {
    this.#db.prepare("UPDATE answers SET state = 'over' WHERE key = ?").run(this.#hash([scope, '\0', key]));
  }

  /** Nothing was done for it: it may be used as if it were new. */
  forget(scope: string, key: string): void {
    this.#remove(this.#hash([scope, '\0', key]));
  }

  close(): void {
    this.#stop();
    this.#db.close();
  }

  #remove(name: Buffer): void {
    const row = this.#db.prepare('DELETE FROM answers WHERE key = ? RETURNING bytes').get(name);
    this.#bytes -= Number(row?.['bytes'] ?? 0);
  }

  #expire(): void {
    const rows = this.#db.prepare('DELETE FROM answers WHERE begun_at_ms <= ? RETURNING bytes').all(this.#options.clock.wallMs() - this.#options.ttlMs);
    for (const { bytes } of rows) this.#bytes -= Number(bytes);
  }

  #dropOldest(): void {
    while (this.#bytes > this.#options.bytesMax) {
      const oldest = this.#db.prepare('SELECT key, bytes FROM answers WHERE bytes > 0 ORDER BY begun_at_ms LIMIT 1').get();
      if (oldest === undefined) return;
      this.#db.prepare('UPDATE answers SET body = NULL, bytes = 0 WHERE key = ?').run(oldest['key'] as Uint8Array);
      this.#bytes -= Number(oldest['bytes']);
    }
  }

  #hash(parts: readonly (string | Buffer)[]): Buffer {
    const hmac = createHmac('sha256', this.#options.secret);
    for (const part of parts) hmac.update(part);
    return hmac.digest();
  }

  /** AES-256-GCM, bound to its key: no answer can be put in another's place. */
  #sealed(body: Buffer, name: Buffer): Buffer {
    const iv = randomBytes(IV_BYTES);
    const cipher = createCipheriv('aes-256-gcm', this.#options.secret, iv).setAAD(name);
    return Buffer.concat([iv, cipher.update(body), cipher.final(), cipher.getAuthTag()]);
  }

  #opened(sealed: Buffer, name: Buffer): Buffer {
    const decipher = createDecipheriv('aes-256-gcm', this.#options.secret, sealed.subarray(0, IV_BYTES)).setAAD(name).setAuthTag(sealed.subarray(-TAG_BYTES));
    return Buffer.concat([decipher.update(sealed.subarray(IV_BYTES, -TAG_BYTES)), decipher.final()]);
  }
}
