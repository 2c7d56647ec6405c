export { newApiKey, parseApiKey, type KeyKind, type ParsedApiKey } from './api-key.ts';
export type { ApiKeyRecord } from './api-key-record.ts';
export { cacheSalts } from './cache-salt.ts';
export { openKeyStore, type Authentication, type CreatedKey, type KeyPage, type KeyStore, type KeyStoreOptions, type NewKey } from './key-store.ts';
