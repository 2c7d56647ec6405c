import type { Kysely } from 'kysely';
import { MeridianError, ulid, type Clock, type RateLimits } from '../core/index.ts';
import type { AccountTables } from './account-tables.ts';
import type { AccountsDatabase } from './accounts-database.ts';
import type { Actor, AuditLog } from './audit-log.ts';
import type { Organization, Project, ServiceAccount, TenantPage, TenantQuery } from './tenant.ts';
import { findOrganization, findProject, findServiceAccount, insertOrganization, insertProject, organizationOf, projectOf, required, serviceAccountOf } from './tenant-rows.ts';

/** Organizations, their projects, and the programs that use them. Each act is in the audit log, in its own transaction. */
export class TenantStore {
  readonly #database: AccountsDatabase;
  readonly #audit: AuditLog;
  readonly #clock: Clock;

  constructor(database: AccountsDatabase, audit: AuditLog, clock: Clock) {
    this.#database = database;
    this.#audit = audit;
    this.#clock = clock;
  }

  organization(id: string): Promise<Organization | null> {
    return findOrganization(this.#database.db, id);
  }

  async organizations({ after, limit }: TenantQuery): Promise<TenantPage<Organization>> {
    const rows = this.#database.db.selectFrom('organizations').selectAll().where('seq', '>', await this.#seqOf('organizations', after));
    return page(await rows.orderBy('seq').limit(limit + 1).execute(), limit, organizationOf);
  }

  /** Rejects with `conflict` when there is one of that id. */
  createOrganization({ id, name, limits }: { readonly id?: string | undefined; readonly name: string; readonly limits: RateLimits }, by: Actor): Promise<Organization> {
    const made = id ?? `org_${ulid(this.#clock.wallMs())}`;
    return this.#database.write(async (db) => {
      if ((await findOrganization(db, made)) !== null) throw new MeridianError('conflict', { param: 'id', message: `There is an organization ${made} already.` });
      await insertOrganization(db, made, name, limits, this.#clock.wallMs());
      await this.#note(db, 'organization.created', by, made, null, made, { name, limits });
      return required(await findOrganization(db, made), 'organization', made);
    });
  }

  updateOrganization(id: string, change: { readonly name?: string | undefined; readonly limits?: RateLimits | undefined }, by: Actor): Promise<Organization> {
    return this.#database.write(async (db) => {
      const { name, limits } = { ...required(await findOrganization(db, id), 'organization', id), ...given(change) };
      await db.updateTable('organizations').set({ name, limits: JSON.stringify(limits) }).where('id', '=', id).execute();
      await this.#note(db, 'organization.updated', by, id, null, id, change);
      return required(await findOrganization(db, id), 'organization', id);
    });
  }

  project(id: string): Promise<Project | null> {
    return findProject(this.#database.db, id);
  }

  async projects(organization: string, { isArchivedToo = false, after, limit }: TenantQuery & { readonly isArchivedToo?: boolean }): Promise<TenantPage<Project>> {
    let rows = this.#database.db.selectFrom('projects').selectAll().where('organization', '=', organization).where('seq', '>', await this.#seqOf('projects', after));
    if (!isArchivedToo) rows = rows.where('archived_at_ms', 'is', null);
    return page(await rows.orderBy('seq').limit(limit + 1).execute(), limit, projectOf);
  }

  /** Names of all projects by their ids. */
  async projectNames(): Promise<Readonly<Record<string, string>>> {
    const rows = await this.#database.db.selectFrom('projects').select(['id', 'name']).execute();
    return Object.fromEntries(rows.map(({ id, name }) => [id, name]));
  }

  createProject({ organization, name }: { readonly organization: string; readonly name: string }, by: Actor): Promise<Project> {
    const id = `proj_${ulid(this.#clock.wallMs())}`;
    return this.#database.write(async (db) => {
      required(await findOrganization(db, organization), 'organization', organization);
      await insertProject(db, id, organization, name, this.#clock.wallMs());
      await this.#note(db, 'project.created', by, organization, id, id, { name });
      return required(await findProject(db, id), 'project', id);
    });
  }

  updateProject(id: string, change: { readonly name?: string | undefined; readonly limits?: RateLimits | undefined }, by: Actor): Promise<Project> {
    return this.#changeProject(id, by, 'project.updated', id, change, async (db, before) => {
      const { name, limits } = { ...before, ...given(change) };
      await db.updateTable('projects').set({ name, limits: JSON.stringify(limits) }).where('id', '=', id).execute();
    });
  }

  limitModel(id: string, model: string, limits: RateLimits, by: Actor): Promise<Project> {
    return this.#changeProject(id, by, 'rate_limit.updated', `rl-${model}`, { model, ...limits }, async (db, { modelLimits }) => {
      const all = Object.fromEntries(new Map(modelLimits).set(model, limits));
      await db.updateTable('projects').set({ model_limits: JSON.stringify(all) }).where('id', '=', id).execute();
    });
  }

  /** From now on its keys admit nothing. Again: no change. */
  archiveProject(id: string, by: Actor): Promise<Project> {
    return this.#changeProject(id, by, 'project.archived', id, {}, async (db) => {
      await db.updateTable('projects').set({ archived_at_ms: this.#clock.wallMs() }).where('id', '=', id).where('archived_at_ms', 'is', null).execute();
    });
  }

  async serviceAccounts(project: string, { after, limit }: TenantQuery): Promise<TenantPage<ServiceAccount>> {
    const rows = this.#database.db
      .selectFrom('service_accounts')
      .selectAll()
      .where('project', '=', project)
      .where('deleted_at_ms', 'is', null)
      .where('seq', '>', await this.#seqOf('service_accounts', after));
    return page(await rows.orderBy('seq').limit(limit + 1).execute(), limit, serviceAccountOf);
  }

  /** Null when there is none, or it is deleted. */
  serviceAccount(id: string): Promise<ServiceAccount | null> {
    return findServiceAccount(this.#database.db, id);
  }

  createServiceAccount({ project, name }: { readonly project: string; readonly name: string }, by: Actor): Promise<ServiceAccount> {
    return this.#database.write(async (db) => {
      const { organization } = required(await findProject(db, project), 'project', project);
      const nowMs = this.#clock.wallMs();
      const id = `svc_acct_${ulid(nowMs)}`;
      await db.insertInto('service_accounts').values({ id, project, name, created_at_ms: nowMs, deleted_at_ms: null }).execute();
      await this.#note(db, 'service_account.created', by, organization, project, id, { name });
      return { id, project, name, createdAtMs: nowMs };
    });
  }

  /** Its keys are revoked with it. */
  deleteServiceAccount(id: string, by: Actor): Promise<void> {
    return this.#database.write(async (db) => {
      const { project } = required(await findServiceAccount(db, id), 'service account', id);
      const organization = (await findProject(db, project))?.organization ?? null;
      const nowMs = this.#clock.wallMs();
      await db.updateTable('service_accounts').set({ deleted_at_ms: nowMs }).where('id', '=', id).execute();
      await db.updateTable('keys').set({ revoked_at_ms: nowMs }).where('service_account', '=', id).where('revoked_at_ms', 'is', null).execute();
      await this.#note(db, 'service_account.deleted', by, organization, project, id, {});
    });
  }

  #changeProject(id: string, by: Actor, type: string, resource: string, detail: object, work: (db: Kysely<AccountTables>, before: Project) => Promise<void>): Promise<Project> {
    return this.#database.write(async (db) => {
      const before = required(await findProject(db, id), 'project', id);
      await work(db, before);
      await this.#note(db, type, by, before.organization, id, resource, detail);
      return required(await findProject(db, id), 'project', id);
    });
  }

  #note(db: Kysely<AccountTables>, type: string, actor: Actor, organization: string | null, project: string | null, resource: string, detail: object): Promise<void> {
    return this.#audit.appendWithin(db, { type, actor, organization, project, resource, detail: { ...detail } });
  }

  /** Where a page begins. Rejects with `invalid_value` when `after` is nothing. */
  async #seqOf(table: 'organizations' | 'projects' | 'service_accounts', after: string | undefined): Promise<number> {
    if (after === undefined) return 0;
    const row = await this.#database.db.selectFrom(table).select('seq').where('id', '=', after).executeTakeFirst();
    if (row === undefined) throw new MeridianError('invalid_value', { param: 'after', message: `There is nothing with the id ${after}.` });
    return row.seq;
  }
}

function page<Row, Item>(rows: readonly Row[], limit: number, read: (row: Row) => Item): TenantPage<Item> {
  return { items: rows.slice(0, limit).map(read), hasMore: rows.length > limit };
}

/** Without what is not said. */
function given<Change extends object>(change: Change): { [Key in keyof Change]: Exclude<Change[Key], undefined> } {
  return Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined)) as { [Key in keyof Change]: Exclude<Change[Key], undefined> };
}
