import type { DatabaseSync, SQLOutputValue } from 'node:sqlite';
import { MeridianError, ulid, type Clock, type RateLimits } from '../core/index.ts';
import { transaction } from '../store/index.ts';
import type { Actor, AuditLog } from './audit-log.ts';
import { defaultProject, parseLimits, parseModelLimits, type Organization, type Project, type ServiceAccount, type TenantPage, type TenantQuery } from './tenant.ts';

type Row = Readonly<Record<string, SQLOutputValue>>;
type Table = 'organizations' | 'projects' | 'service_accounts';

export interface TenantStoreOptions {
  readonly db: DatabaseSync;
  readonly audit: AuditLog;
  readonly clock: Clock;
  /** Told after every change, so that keys that are remembered are looked up again. */
  readonly onChange: () => void;
}

/** Organizations, their projects, and the programs that use them. Each act is in the audit log, in its own transaction. */
export class TenantStore {
  readonly #db: DatabaseSync;
  readonly #audit: AuditLog;
  readonly #clock: Clock;
  readonly #onChange: () => void;

  constructor({ db, audit, clock, onChange }: TenantStoreOptions) {
    this.#db = db;
    this.#audit = audit;
    this.#clock = clock;
    this.#onChange = onChange;
  }

  organization(id: string): Organization | null {
    const row = this.#row('organizations', id);
    return row === undefined ? null : organizationOf(row);
  }

  organizations(query: TenantQuery): TenantPage<Organization> {
    return this.#page('organizations', query, '1 = 1', [], organizationOf);
  }

  /** Throws `conflict` when there is one of that id. */
  createOrganization({ id, name, limits }: { readonly id?: string | undefined; readonly name: string; readonly limits: RateLimits }, by: Actor): Organization {
    const made = id ?? `org_${ulid(this.#clock.wallMs())}`;
    return this.#act('organization.created', by, made, null, made, { name, limits }, () => {
      if (this.organization(made) !== null) throw new MeridianError('conflict', { param: 'id', message: `There is an organization ${made} already.` });
      this.#insertOrganization(made, name, limits);
      return this.#required(this.organization(made), 'organization', made);
    });
  }

  updateOrganization(id: string, change: { readonly name?: string | undefined; readonly limits?: RateLimits | undefined }, by: Actor): Organization {
    return this.#act('organization.updated', by, id, null, id, change, () => {
      const { name, limits } = { ...this.#required(this.organization(id), 'organization', id), ...given(change) };
      this.#db.prepare('UPDATE organizations SET name = ?, limits = ? WHERE id = ?').run(name, JSON.stringify(limits), id);
      return this.#required(this.organization(id), 'organization', id);
    });
  }

  project(id: string): Project | null {
    const row = this.#row('projects', id);
    return row === undefined ? null : projectOf(row);
  }

  projects(organization: string, { isArchivedToo = false, ...query }: TenantQuery & { readonly isArchivedToo?: boolean }): TenantPage<Project> {
    return this.#page('projects', query, isArchivedToo ? 'organization = ?' : 'organization = ? AND archived_at_ms IS NULL', [organization], projectOf);
  }

  /** Names of all projects by their ids. */
  projectNames(): Readonly<Record<string, string>> {
    return Object.fromEntries(this.#db.prepare('SELECT id, name FROM projects').all().map(({ id, name }) => [String(id), String(name)]));
  }

  createProject({ organization, name }: { readonly organization: string; readonly name: string }, by: Actor): Project {
    const id = `proj_${ulid(this.#clock.wallMs())}`;
    return this.#act('project.created', by, organization, id, id, { name }, () => {
      this.#required(this.organization(organization), 'organization', organization);
      this.#insertProject(id, organization, name);
      return this.#required(this.project(id), 'project', id);
    });
  }

  updateProject(id: string, change: { readonly name?: string | undefined; readonly limits?: RateLimits | undefined }, by: Actor): Project {
    const { organization, ...before } = this.#required(this.project(id), 'project', id);
    return this.#act('project.updated', by, organization, id, id, change, () => {
      const { name, limits } = { ...before, ...given(change) };
      this.#db.prepare('UPDATE projects SET name = ?, limits = ? WHERE id = ?').run(name, JSON.stringify(limits), id);
      return this.#required(this.project(id), 'project', id);
    });
  }

  limitModel(id: string, model: string, limits: RateLimits, by: Actor): Project {
    const { organization, modelLimits } = this.#required(this.project(id), 'project', id);
    return this.#act('rate_limit.updated', by, organization, id, `rl-${model}`, { model, ...limits }, () => {
      const all = Object.fromEntries(new Map(modelLimits).set(model, limits));
      this.#db.prepare('UPDATE projects SET model_limits = ? WHERE id = ?').run(JSON.stringify(all), id);
      return this.#required(this.project(id), 'project', id);
    });
  }

  /** From now on its keys admit nothing. Again: no change. */
  archiveProject(id: string, by: Actor): Project {
    const { organization } = this.#required(this.project(id), 'project', id);
    return this.#act('project.archived', by, organization, id, id, {}, () => {
      this.#db.prepare('UPDATE projects SET archived_at_ms = ? WHERE id = ? AND archived_at_ms IS NULL').run(this.#clock.wallMs(), id);
      return this.#required(this.project(id), 'project', id);
    });
  }

  serviceAccounts(project: string, query: TenantQuery): TenantPage<ServiceAccount> {
    return this.#page('service_accounts', query, 'project = ? AND deleted_at_ms IS NULL', [project], serviceAccountOf);
  }

  serviceAccount(id: string): ServiceAccount | null {
    const row = this.#row('service_accounts', id);
    return row === undefined || row['deleted_at_ms'] !== null ? null : serviceAccountOf(row);
  }

  createServiceAccount({ project, name }: { readonly project: string; readonly name: string }, by: Actor): ServiceAccount {
    const { organization } = this.#required(this.project(project), 'project', project);
    const nowMs = this.#clock.wallMs();
    const id = `svc_acct_${ulid(nowMs)}`;
    return this.#act('service_account.created', by, organization, project, id, { name }, () => {
      this.#db.prepare('INSERT INTO service_accounts (id, project, name, created_at_ms) VALUES (?, ?, ?, ?)').run(id, project, name, nowMs);
      return { id, project, name, createdAtMs: nowMs };
    });
  }

  /** Its keys are revoked with it. */
  deleteServiceAccount(id: string, by: Actor): void {
    const { project } = this.#required(this.serviceAccount(id), 'service account', id);
    const organization = this.project(project)?.organization ?? null;
    this.#act('service_account.deleted', by, organization, project, id, {}, () => {
      const nowMs = this.#clock.wallMs();
      this.#db.prepare('UPDATE service_accounts SET deleted_at_ms = ? WHERE id = ?').run(nowMs, id);
      this.#db.prepare('UPDATE keys SET revoked_at_ms = ? WHERE service_account = ? AND revoked_at_ms IS NULL').run(nowMs, id);
    });
  }

  ensureOrganization(id: string): void {
    if (this.organization(id) === null) this.#insertOrganization(id, id, parseLimits('{}'));
  }

  /** The project of a new key, made when it is named for the first time. Throws `invalid_value` when it is another organization's. */
  ensureProject(organization: string, wanted: string | undefined): string {
    const id = wanted ?? defaultProject(organization);
    this.ensureOrganization(organization);
    const project = this.project(id);
    if (project === null) this.#insertProject(id, organization, id);
    else if (project.organization !== organization) throw new MeridianError('invalid_value', { param: 'project', message: `The project ${id} is not one of ${organization}.` });
    return id;
  }

  #act<T>(type: string, actor: Actor, organization: string | null, project: string | null, resource: string, detail: object, work: () => T): T {
    const result = transaction(this.#db, () => {
      const done = work();
      this.#audit.append({ type, actor, organization, project, resource, detail: { ...detail } });
      return done;
    });
    this.#onChange();
    return result;
  }

  #insertOrganization(id: string, name: string, limits: RateLimits): void {
    this.#db.prepare('INSERT INTO organizations (id, name, limits, created_at_ms) VALUES (?, ?, ?, ?)').run(id, name, JSON.stringify(limits), this.#clock.wallMs());
  }

  #insertProject(id: string, organization: string, name: string): void {
    this.#db
      .prepare("INSERT INTO projects (id, organization, name, limits, model_limits, created_at_ms) VALUES (?, ?, ?, '{}', '{}', ?)")
      .run(id, organization, name, this.#clock.wallMs());
  }

  #row(table: Table, id: string): Row | undefined {
    return this.#db.prepare(`SELECT * FROM ${table} WHERE id = ?`).get(id);
  }

  #page<Item>(table: Table, { after, limit }: TenantQuery, condition: string, values: readonly string[], read: (row: Row) => Item): TenantPage<Item> {
    let seq = 0;
    if (after !== undefined) {
      const row = this.#row(table, after);
      if (row === undefined) throw new MeridianError('invalid_value', { param: 'after', message: `There is nothing with the id ${after}.` });
      seq = Number(row['seq']);
    }
    const rows = this.#db.prepare(`SELECT * FROM ${table} WHERE ${condition} AND seq > ? ORDER BY seq LIMIT ?`).all(...values, seq, limit + 1);
    return { items: rows.slice(0, limit).map(read), hasMore: rows.length > limit };
  }

  #required<Item>(item: Item | null, what: string, id: string): Item {
    if (item !== null) return item;
    throw new MeridianError('not_found', { param: 'id', message: `There is no ${what} '${id}'.` });
  }
}

function organizationOf(row: Row): Organization {
  return { id: String(row['id']), name: String(row['name']), limits: parseLimits(row['limits']), createdAtMs: Number(row['created_at_ms']) };
}

function projectOf(row: Row): Project {
  return {
    id: String(row['id']),
    organization: String(row['organization']),
    name: String(row['name']),
    limits: parseLimits(row['limits']),
    modelLimits: parseModelLimits(row['model_limits']),
    createdAtMs: Number(row['created_at_ms']),
    archivedAtMs: row['archived_at_ms'] === null ? null : Number(row['archived_at_ms']),
  };
}

function serviceAccountOf(row: Row): ServiceAccount {
  return { id: String(row['id']), project: String(row['project']), name: String(row['name']), createdAtMs: Number(row['created_at_ms']) };
}

/** Without what is not said. */
function given<Change extends object>(change: Change): { [Key in keyof Change]: Exclude<Change[Key], undefined> } {
  return Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined)) as { [Key in keyof Change]: Exclude<Change[Key], undefined> };
}
