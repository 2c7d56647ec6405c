import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { MeridianError } from '../../core/index.ts';

const CIPHER = 'aes-256-gcm';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** Seals secrets that must be read again, so that a copy of the database alone does not give them away. */
export class SecretSeal {
  readonly #key: Buffer;

  /** `key`: 32 secret bytes, the same for the life of the database. */
  constructor(key: Buffer) {
    this.#key = key;
  }

  /** `owner` must be the same when it is opened: a sealed secret is of no use in another row. */
  seal(secret: string, owner: string): string {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv(CIPHER, this.#key, nonce, { authTagLength: TAG_BYTES }).setAAD(Buffer.from(owner));
    const sealed = Buffer.concat([cipher.update(secret, 'utf8'), cipher.final()]);
    return Buffer.concat([nonce, cipher.getAuthTag(), sealed]).toString('base64');
  }

  /** Throws `conflict` when it was sealed with another key, for another owner, or is damaged. */
  open(sealed: string, owner: string): string {
    const bytes = Buffer.from(sealed, 'base64');
    try {
      const decipher = createDecipheriv(CIPHER, this.#key, bytes.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES })
        .setAAD(Buffer.from(owner))
        .setAuthTag(bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
      return Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES)), decipher.final()]).toString('utf8');
    } catch (cause) {
      throw new MeridianError('conflict', { message: `The secret of ${owner} cannot be read: it was sealed by another installation, or is damaged. Rotate it.`, cause });
    }
  }
}
