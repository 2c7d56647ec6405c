export { newApiKey, parseApiKey } from './api-key.ts';
export type { ApiKeyRecord } from './api-key-record.ts';
export { SYSTEM, type Actor, type AuditAct, type AuditEvent, type AuditLog } from './audit-log.ts';
export { cacheSalts } from './cache-salt.ts';
export type { KeyChange, KeyStore } from './key-store.ts';
export { openAccounts, type Accounts } from './open-accounts.ts';
export { DEFAULT_ORGANIZATION, type Organization, type Project, type ServiceAccount } from './tenant.ts';
export type { TenantStore } from './tenant-store.ts';
export { moveAccounts } from './move-accounts.ts';
