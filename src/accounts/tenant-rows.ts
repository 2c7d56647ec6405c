import type { Kysely, Selectable } from 'kysely';
import { MeridianError, NO_LIMITS, type RateLimits } from '../core/index.ts';
import type { AccountTables } from './account-tables.ts';
import { defaultProject, parseLimits, parseModelLimits, type Organization, type Project, type ServiceAccount } from './tenant.ts';

export async function findOrganization(db: Kysely<AccountTables>, id: string): Promise<Organization | null> {
  const row = await db.selectFrom('organizations').selectAll().where('id', '=', id).executeTakeFirst();
  return row === undefined ? null : organizationOf(row);
}

export async function findProject(db: Kysely<AccountTables>, id: string): Promise<Project | null> {
  const row = await db.selectFrom('projects').selectAll().where('id', '=', id).executeTakeFirst();
  return row === undefined ? null : projectOf(row);
}

export async function findServiceAccount(db: Kysely<AccountTables>, id: string): Promise<ServiceAccount | null> {
  const row = await db.selectFrom('service_accounts').selectAll().where('id', '=', id).where('deleted_at_ms', 'is', null).executeTakeFirst();
  return row === undefined ? null : serviceAccountOf(row);
}

/** Throws `not_found`. */
export function required<Item>(item: Item | null, what: string, id: string): Item {
  if (item !== null) return item;
  throw new MeridianError('not_found', { param: 'id', message: `There is no ${what} '${id}'.` });
}

/** Made when it is named for the first time. Within the caller's transaction, as all that follows. */
export async function ensureOrganization(db: Kysely<AccountTables>, id: string, nowMs: number): Promise<void> {
  if ((await findOrganization(db, id)) === null) await insertOrganization(db, id, id, NO_LIMITS, nowMs);
}

/** The project of a new key, made when it is named for the first time. Throws `invalid_value` when it is another organization's. */
export async function ensureProject(db: Kysely<AccountTables>, organization: string, wanted: string | undefined, nowMs: number): Promise<string> {
  const id = wanted ?? defaultProject(organization);
  await ensureOrganization(db, organization, nowMs);
  const project = await findProject(db, id);
  if (project === null) await insertProject(db, id, organization, id, nowMs);
  else if (project.organization !== organization) throw new MeridianError('invalid_value', { param: 'project', message: `The project ${id} is not one of ${organization}.` });
  return id;
}

export async function insertOrganization(db: Kysely<AccountTables>, id: string, name: string, limits: RateLimits, nowMs: number): Promise<void> {
  await db.insertInto('organizations').values({ id, name, limits: JSON.stringify(limits), created_at_ms: nowMs }).execute();
}

export async function insertProject(db: Kysely<AccountTables>, id: string, organization: string, name: string, nowMs: number): Promise<void> {
  await db.insertInto('projects').values({ id, organization, name, limits: '{}', model_limits: '{}', created_at_ms: nowMs, archived_at_ms: null }).execute();
}

export function organizationOf({ id, name, limits, created_at_ms: createdAtMs }: Selectable<AccountTables['organizations']>): Organization {
  return { id, name, limits: parseLimits(limits), createdAtMs };
}

export function projectOf(row: Selectable<AccountTables['projects']>): Project {
  const { id, organization, name, created_at_ms: createdAtMs, archived_at_ms: archivedAtMs } = row;
  return { id, organization, name, limits: parseLimits(row.limits), modelLimits: parseModelLimits(row.model_limits), createdAtMs, archivedAtMs };
}

export function serviceAccountOf({ id, project, name, created_at_ms: createdAtMs }: Selectable<AccountTables['service_accounts']>): ServiceAccount {
  return { id, project, name, createdAtMs };
}
