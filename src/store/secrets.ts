import { hkdfSync, randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, linkSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs';
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
  const made = { keyPepper: randomBytes(SECRET_BYTES).toString('hex'), cacheSaltSecret: randomBytes(SECRET_BYTES).toString('hex') };
  // Of several gateways that start together on one file, all take what the first one made.
  return parseSecrets(file, writeOnce(file, JSON.stringify(made)));
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
  const draft = writeDraft(file, text);
  renameSync(draft, file);
  syncDirectory(dirname(file));
}

/** The same, unless somebody else was first; what is in the file then. */
export function writeOnce(file: string, text: string): string {
  const draft = writeDraft(file, text);
  try {
    linkSync(draft, file);
    syncDirectory(dirname(file));
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  } finally {
    rmSync(draft);
  }
  return readFileSync(file, 'utf8');
}

function writeDraft(file: string, text: string): string {
  const draft = `${file}.${process.pid}.new`;
  const fd = openSync(draft, 'w', 0o600);
  try {
    writeSync(fd, text);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  return draft;
}

function syncDirectory(path: string): void {
  if (process.platform === 'win32') return; // Windows cannot open a directory to sync it.
  const directory = openSync(path, 'r');
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
