import { createHmac } from 'node:crypto';
import type { DatabaseSync, SQLInputValue, SQLOutputValue } from 'node:sqlite';
import { MeridianError, ulid, type Clock } from '../core/index.ts';

/** Who did it: the operator with the configured key, an organization's administrator with a stored one, or the gateway itself. */
export interface Actor {
  readonly kind: 'operator' | 'admin_key' | 'system';
  readonly keyId: string | null;
  /** Where the request came from. */
  readonly address: string | null;
}

export const SYSTEM: Actor = { kind: 'system', keyId: null, address: null };

/** An administrative act. Nothing in it is secret. */
export interface AuditAct {
  /** As `api_key.created`: OpenAI's names where it has them. */
  readonly type: string;
  readonly actor: Actor;
  readonly organization: string | null;
  readonly project: string | null;
  /** Id of what it was done to. */
  readonly resource: string | null;
  readonly detail: Readonly<Record<string, unknown>>;
}

export interface AuditEvent extends AuditAct {
  readonly id: string;
  /** Milliseconds since the epoch. */
  readonly atMs: number;
}

export interface AuditQuery {
  readonly limit: number;
  /** Ids of events to go on behind, or to end before. */
  readonly after?: string | undefined;
  readonly before?: string | undefined;
  readonly organization?: string | undefined;
  readonly types?: readonly string[] | undefined;
  readonly projects?: readonly string[] | undefined;
  readonly actors?: readonly string[] | undefined;
  readonly resources?: readonly string[] | undefined;
  /** Milliseconds since the epoch; the first is part of the range, the second is not. */
  readonly fromMs?: number | undefined;
  readonly toMs?: number | undefined;
}

type Row = Readonly<Record<string, SQLOutputValue>>;

const BATCH = 1_000;

/**
 * What administrators did, newest last. Each event is chained to all before it by an HMAC under `key`, and the last one is
 * sealed: what was changed, taken out, put in, moved or cut off shows.
 */
export class AuditLog {
  readonly #db: DatabaseSync;
  readonly #key: Buffer;
  readonly #clock: Clock;

  constructor(db: DatabaseSync, key: Buffer, clock: Clock) {
    this.#db = db;
    this.#key = key;
    this.#clock = clock;
  }

  /** Within the caller's transaction, or in one of its own. */
  append({ type, actor, organization, project, resource, detail }: AuditAct): void {
    const atMs = this.#clock.wallMs();
    const last = this.#db.prepare('SELECT seq, hash FROM audit_events ORDER BY seq DESC LIMIT 1').get();
    const seq = Number(last?.['seq'] ?? 0) + 1;
    const fields = [seq, `audit_log-${ulid(atMs)}`, atMs, type, JSON.stringify(actor), organization, project, resource, JSON.stringify(detail)];
    const hash = this.#hash(String(last?.['hash'] ?? ''), fields);
    this.#db
      .prepare('INSERT INTO audit_events (seq, id, at_ms, type, actor, organization, project, resource, detail, hash, actor_key) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)')
      .run(...fields, hash, actor.keyId);
    this.#db.exec('DELETE FROM audit_head');
    this.#db.prepare('INSERT INTO audit_head (seal) VALUES (?)').run(this.#seal(seq, hash));
  }

  /** Newest first. Throws `invalid_value` when `after` or `before` is no event. */
  list(query: AuditQuery): readonly AuditEvent[] {
    const conditions: string[] = [];
    const values: SQLInputValue[] = [];
    const add = (condition: string, ...bound: SQLInputValue[]): void => {
      conditions.push(condition);
      values.push(...bound);
    };
    if (query.after !== undefined) add('seq < ?', this.#seqOf(query.after, 'after'));
    if (query.before !== undefined) add('seq > ?', this.#seqOf(query.before, 'before'));
    if (query.organization !== undefined) add('organization = ?', query.organization);
    if (query.fromMs !== undefined) add('at_ms >= ?', query.fromMs);
    if (query.toMs !== undefined) add('at_ms < ?', query.toMs);
    const lists = { type: query.types, project: query.projects, resource: query.resources, actor_key: query.actors };
    for (const [column, among] of Object.entries(lists)) if (among !== undefined) add(`${column} IN (${among.map(() => '?').join(', ')})`, ...among);
    const where = conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`;
    return this.#db.prepare(`SELECT * FROM audit_events ${where} ORDER BY seq DESC LIMIT ?`).all(...values, query.limit).map(eventOf);
  }

  /** The first thing that is not as it was written, in words; null when all is. `count` is how many events were looked at. */
  verify(): { readonly count: number; readonly fault: string | null } {
    let before = '';
    let seq = 0;
    for (;;) {
      const rows = this.#db.prepare('SELECT * FROM audit_events WHERE seq > ? ORDER BY seq LIMIT ?').all(seq, BATCH);
      if (rows.length === 0) break;
      for (const row of rows) {
        seq += 1;
        if (row['seq'] !== seq) return { count: seq, fault: `event ${seq} is missing` };
        const fields = ['seq', 'id', 'at_ms', 'type', 'actor', 'organization', 'project', 'resource', 'detail'].map((name) => row[name] ?? null);
        before = this.#hash(before, fields);
        if (row['hash'] !== before) return { count: seq, fault: `event ${seq} (${String(row['id'])}) is not as it was written` };
      }
    }
    const head = this.#db.prepare('SELECT seal FROM audit_head').all();
    const isSealed = seq === 0 ? head.length === 0 : head.length === 1 && head[0]?.['seal'] === this.#seal(seq, before);
    return { count: seq, fault: isSealed ? null : `the log does not end with event ${seq}: events after it were cut off` };
  }

  #hash(before: string, fields: readonly unknown[]): string {
    return createHmac('sha256', this.#key).update(before).update(JSON.stringify(fields)).digest('hex');
  }

  #seal(seq: number, hash: string): string {
    return createHmac('sha256', this.#key).update(`head ${seq} ${hash}`).digest('hex');
  }

  #seqOf(id: string, param: string): number {
    const row = this.#db.prepare('SELECT seq FROM audit_events WHERE id = ?').get(id);
    if (row === undefined) throw new MeridianError('invalid_value', { param, message: `There is no audit event ${id}.` });
    return Number(row['seq']);
  }
}

function eventOf(row: Row): AuditEvent {
  const text = (name: string): string | null => (typeof row[name] === 'string' ? row[name] : null);
  return {
    id: String(row['id']),
    atMs: Number(row['at_ms']),
    type: String(row['type']),
    actor: JSON.parse(String(row['actor'])) as Actor,
    organization: text('organization'),
    project: text('project'),
    resource: text('resource'),
    detail: JSON.parse(String(row['detail'])) as Record<string, unknown>,
  };
}
