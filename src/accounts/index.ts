export { newApiKey, parseApiKey } from './api-key.ts';
export type { AccountLimits, ApiKeyRecord } from './api-key-record.ts';
export { cacheSalts } from './cache-salt.ts';
export { openKeyStore, type KeyStore } from './key-store.ts';
