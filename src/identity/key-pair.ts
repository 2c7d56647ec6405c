import { webcrypto } from 'node:crypto';
import { x509 } from './x509.ts';

/** ECDSA over P-256: what every TLS stack speaks, and small. */
export const KEY_ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

export function newKeyPair(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(KEY_ALGORITHM, true, ['sign', 'verify']);
}

/** PKCS #8, PEM. */
export async function privateKeyPem(key: webcrypto.CryptoKey): Promise<string> {
  const bytes = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key)).toString('base64');
  return `-----BEGIN PRIVATE KEY-----\n${bytes.replace(/.{64}(?=.)/g, '$&\n')}\n-----END PRIVATE KEY-----\n`;
}

/** A new key, and the request by which its holder asks for a certificate; both PEM. */
export interface CertificateRequest {
  readonly key: string;
  readonly request: string;
}

export async function newCertificateRequest(): Promise<CertificateRequest> {
  const { Pkcs10CertificateRequestGenerator } = await x509();
  const keys = await newKeyPair();
  // The authority decides what the bearer is called.
  const request = await Pkcs10CertificateRequestGenerator.create({ name: 'CN=Meridian', keys, signingAlgorithm: KEY_ALGORITHM });
  return { key: await privateKeyPem(keys.privateKey), request: request.toString('pem') };
}
