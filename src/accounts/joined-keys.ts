import type { Kysely } from 'kysely';
import type { AccountTables } from './account-tables.ts';

/** Keys, each with what its project and its organization say. */
export function joinedKeys(db: Kysely<AccountTables>) {
  return db
    .selectFrom('keys')
    .leftJoin('projects', 'projects.id', 'keys.project')
    .leftJoin('organizations', 'organizations.id', 'keys.organization')
    .selectAll('keys')
    .select(['projects.archived_at_ms as project_archived_at_ms', 'projects.limits as project_limits', 'projects.model_limits as model_limits', 'organizations.limits as organization_limits']);
}
