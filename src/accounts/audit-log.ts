import { createHmac } from 'node:crypto';
import type { Kysely, Selectable } from 'kysely';
import { MeridianError, ulid, type Clock } from '../core/index.ts';
import type { AccountTables } from './account-tables.ts';
import type { AccountsDatabase } from './accounts-database.ts';

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

type Row = Selectable<AccountTables['audit_events']>;

const BATCH = 1_000;

/**
 * What administrators did, newest last. Each event is chained to all before it by an HMAC under `key`, and the last one is
 * sealed: what was changed, taken out, put in, moved or cut off shows.
 */
export class AuditLog {
  readonly #database: AccountsDatabase;
  readonly #key: Buffer;
  readonly #clock: Clock;

  constructor(database: AccountsDatabase, key: Buffer, clock: Clock) {
    this.#database = database;
    this.#key = key;
    this.#clock = clock;
  }

  /** In a transaction of its own. */
  append(act: AuditAct): Promise<void> {
    return this.#database.write((db) => this.appendWithin(db, act));
  }

  /** Within a transaction of `AccountsDatabase.write`. */
  async appendWithin(db: Kysely<AccountTables>, { type, actor, organization, project, resource, detail }: AuditAct): Promise<void> {
    const at_ms = this.#clock.wallMs();
    const last = await db.selectFrom('audit_events').select(['seq', 'hash']).orderBy('seq', 'desc').limit(1).executeTakeFirst();
    const seq = (last?.seq ?? 0) + 1;
    const event = { seq, id: `audit_log-${ulid(at_ms)}`, at_ms, type, actor: JSON.stringify(actor), organization, project, resource, detail: JSON.stringify(detail) };
    const hash = this.#hash(last?.hash ?? '', event);
    await db.insertInto('audit_events').values({ ...event, hash, actor_key: actor.keyId }).execute();
    await db.deleteFrom('audit_head').execute();
    await db.insertInto('audit_head').values({ seal: this.#seal(seq, hash) }).execute();
  }

  /** Newest first. Rejects with `invalid_value` when `after` or `before` is no event. */
  async list(query: AuditQuery): Promise<readonly AuditEvent[]> {
    let rows = this.#database.db.selectFrom('audit_events').selectAll();
    if (query.after !== undefined) rows = rows.where('seq', '<', await this.#seqOf(query.after, 'after'));
    if (query.before !== undefined) rows = rows.where('seq', '>', await this.#seqOf(query.before, 'before'));
    if (query.organization !== undefined) rows = rows.where('organization', '=', query.organization);
    if (query.fromMs !== undefined) rows = rows.where('at_ms', '>=', query.fromMs);
    if (query.toMs !== undefined) rows = rows.where('at_ms', '<', query.toMs);
    const lists = [['type', query.types], ['project', query.projects], ['resource', query.resources], ['actor_key', query.actors]] as const;
    for (const [column, among] of lists) if (among !== undefined) rows = rows.where(column, 'in', among.length === 0 ? [''] : among);
    return (await rows.orderBy('seq', 'desc').limit(query.limit).execute()).map(eventOf);
  }

  /** The first thing that is not as it was written, in words; null when all is. `count` is how many events were looked at. */
  async verify(): Promise<{ readonly count: number; readonly fault: string | null }> {
    const { db } = this.#database;
    let before = '';
    let seq = 0;
    for (;;) {
      const rows = await db.selectFrom('audit_events').selectAll().where('seq', '>', seq).orderBy('seq').limit(BATCH).execute();
      if (rows.length === 0) break;
      for (const row of rows) {
        seq += 1;
        if (row.seq !== seq) return { count: seq, fault: `event ${seq} is missing` };
        before = this.#hash(before, row);
        if (row.hash !== before) return { count: seq, fault: `event ${seq} (${row.id}) is not as it was written` };
      }
    }
    const head = await db.selectFrom('audit_head').select('seal').execute();
    const isSealed = seq === 0 ? head.length === 0 : head.length === 1 && head[0]?.seal === this.#seal(seq, before);
    return { count: seq, fault: isSealed ? null : `the log does not end with event ${seq}: events after it were cut off` };
  }

  #hash(before: string, { seq, id, at_ms: atMs, type, actor, organization, project, resource, detail }: Omit<Row, 'hash' | 'actor_key'>): string {
    const fields = [seq, id, atMs, type, actor, organization, project, resource, detail];
    return createHmac('sha256', this.#key).update(before).update(JSON.stringify(fields)).digest('hex');
  }

  #seal(seq: number, hash: string): string {
    return createHmac('sha256', this.#key).update(`head ${seq} ${hash}`).digest('hex');
  }

  async #seqOf(id: string, param: string): Promise<number> {
    const row = await this.#database.db.selectFrom('audit_events').select('seq').where('id', '=', id).executeTakeFirst();
    if (row === undefined) throw new MeridianError('invalid_value', { param, message: `There is no audit event ${id}.` });
    return row.seq;
  }
}

function eventOf({ id, at_ms: atMs, type, actor, organization, project, resource, detail }: Row): AuditEvent {
  return { id, atMs, type, actor: JSON.parse(actor) as Actor, organization, project, resource, detail: JSON.parse(detail) as Record<string, unknown> };
}
