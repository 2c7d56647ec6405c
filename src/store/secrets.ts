import { hkdfSync, randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { MeridianError } from '../core/index.ts';

/** What this installation must keep to itself: 32 random bytes each. */
export interface Secrets {
  /** Keys the hashes of API keys: without it no stored key can be checked. */
  readonly keyPepper: Buffer;
  /** Keys the KV cache salts of organizations. */
  readonly cacheSaltSecret: Buffer;
}

const SECRET_BYTES = 32;

/** The secrets in `file`, which is made (mode 0600) when absent. Throws `conflict` when it is damaged. */
export function loadSecrets(file: string): Secrets {
  const text = readIfThere(file);
  if (text !== null) return parseSecrets(file, text);
  const secrets = { keyPepper: randomBytes(SECRET_BYTES), cacheSaltSecret: randomBytes(SECRET_BYTES) };
  writeDurably(file, JSON.stringify({
    keyPepper: secrets.keyPepper.toString('hex'),
    cacheSaltSecret: secrets.cacheSaltSecret.toString('hex'),
  }));
  return secrets;
}

/** A key of 32 bytes for one purpose, from which neither `secret` nor the key of another purpose can be told (HKDF, RFC 5869). */
export function deriveKey(secret: Buffer, purpose: string): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, '', `meridian ${purpose}`, SECRET_BYTES));
}

function parseSecrets(file: string, text: string): Secrets {
  try {
    const parsed = JSON.parse(text) as Record<string, unknown>;
    return { keyPepper: secret(parsed['keyPepper']), cacheSaltSecret: secret(parsed['cacheSaltSecret']) };
  } catch (error) {
    const message = `The secrets file ${file} is damaged. Restore it from a backup: without it no stored API key can be checked.`;
    throw new MeridianError('conflict', { message, cause: error });
  }
}

function secret(value: unknown): Buffer {
  const bytes = Buffer.from(String(value), 'hex');
  if (bytes.length !== SECRET_BYTES) throw new TypeError(`expected ${SECRET_BYTES} bytes in hex`);
  return bytes;
}

/** Writes a file that only this user may read (mode 0600). Either the whole of it is there after a power cut, or none. */
export function writeDurably(file: string, text: string): void {
  const draft = `${file}.new`;
  const fd = openSync(draft, 'w', 0o600);
  try {
    writeSync(fd, text);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(draft, file);
  if (process.platform === 'win32') return; // Windows cannot open a directory to sync it.
  const directory = openSync(dirname(file), 'r');
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}

/** Null when there is no such file. */
export function readIfThere(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
}
