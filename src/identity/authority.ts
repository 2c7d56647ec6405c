import { createHash, createPrivateKey, randomBytes, webcrypto, X509Certificate, type KeyObject } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';
import type { ExtendedKeyUsage, JsonGeneralName, Pkcs10CertificateRequest } from '@peculiar/x509';
import { dateOf, MeridianError } from '../core/index.ts';
import { readIfThere, writeDurably } from '../store/index.ts';
import { KEY_ALGORITHM, newKeyPair, privateKeyPem } from './key-pair.ts';
import { gatewayName, nodeNames, type NodeIdentity } from './node-identity.ts';
import { x509 } from './x509.ts';

/** Milliseconds since the epoch. */
export interface Validity {
  readonly fromMs: number;
  readonly toMs: number;
}

const CERTIFICATE_FILE = 'ca.pem';
const KEY_FILE = 'ca-key.pem';
const LIFETIME_MS = 10 * 365.25 * 86_400_000;
/** Clocks of machines differ by this much at the most. */
const SKEW_MS = 300_000;

/** Makes the authority of a fleet in `directory`: its certificate, and the key that must stay there. Throws `conflict` when there is one. */
export async function initAuthority(directory: string, nowMs: number): Promise<Authority> {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  for (const file of [CERTIFICATE_FILE, KEY_FILE]) {
    if (readIfThere(join(directory, file)) === null) continue;
    throw new MeridianError('conflict', { message: `${join(directory, file)} is there already: a second authority would shut out every node that has joined. Remove it if that is wanted.` });
  }
  const { BasicConstraintsExtension, KeyUsageFlags, KeyUsagesExtension, X509CertificateGenerator } = await x509();
  const keys = await newKeyPair();
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: newSerial(),
    name: 'CN=Meridian fleet',
    notBefore: dateOf(nowMs - SKEW_MS),
    notAfter: dateOf(nowMs + LIFETIME_MS),
    signingAlgorithm: KEY_ALGORITHM,
    keys,
    extensions: [new BasicConstraintsExtension(true, 0, true), new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true)],
  });
  writeDurably(join(directory, KEY_FILE), await privateKeyPem(keys.privateKey));
  writeDurably(join(directory, CERTIFICATE_FILE), certificate.toString('pem'));
  return openAuthority(directory);
}

/** The authority in `directory`. Throws `conflict` when there is none, or when its key is another's. */
export async function openAuthority(directory: string): Promise<Authority> {
  const [pem, keyPem] = [CERTIFICATE_FILE, KEY_FILE].map((file) => readIfThere(join(directory, file)));
  if (pem == null || keyPem == null) throw new MeridianError('conflict', { message: `There is no authority in ${directory}; \`meridian ca init --dir ${directory}\` makes one.` });
  try {
    const certificate = new X509Certificate(pem);
    const key = createPrivateKey(keyPem);
    if (!certificate.checkPrivateKey(key)) throw new Error('the key is not the one of the certificate');
    return new Authority(certificate, await signingKey(key));
  } catch (cause) {
    throw new MeridianError('conflict', { message: `The authority in ${directory} is damaged: ${cause instanceof Error ? cause.message : String(cause)}. Restore it from a backup.`, cause });
  }
}

/** What identities of a fleet come from: it signs the certificates of nodes and gateways. */
export class Authority {
  readonly certificate: X509Certificate;
  readonly #key: webcrypto.CryptoKey;

  constructor(certificate: X509Certificate, key: webcrypto.CryptoKey) {
    this.certificate = certificate;
    this.#key = key;
  }

  /** By what nodes know it before they know anything else. */
  get pin(): string {
    return pinOf(this.certificate);
  }

  /** Throws `invalid_value` when it is no certificate request, or is not signed by its key. */
  async checkRequest(request: string): Promise<void> {
    await readRequest(request);
  }

  /** A certificate for a node, for the key of its request (PEM). Throws `invalid_value` when that is none or is not signed by its key. */
  async certifyNode(request: string, identity: NodeIdentity, issuedAtMs: number, expiresAtMs: number): Promise<string> {
    const parsed = await readRequest(request);
    const names = nodeNames(identity, issuedAtMs).map((value): JsonGeneralName => ({ type: 'url', value }));
    const { ExtendedKeyUsage } = await x509();
    return this.#issue(parsed, names, ExtendedKeyUsage.clientAuth, { fromMs: issuedAtMs - SKEW_MS, toMs: expiresAtMs });
  }

  /** A certificate for a gateway, with the host names and addresses by which it is dialled. */
  async certifyGateway(request: string, gateway: string, hosts: readonly string[], issuedAtMs: number, expiresAtMs: number): Promise<string> {
    const parsed = await readRequest(request);
    const names = [{ type: 'url', value: gatewayName(gateway) } as const, ...hosts.map((value): JsonGeneralName => ({ type: isIP(value) === 0 ? 'dns' : 'ip', value }))];
    const { ExtendedKeyUsage } = await x509();
    return this.#issue(parsed, names, ExtendedKeyUsage.serverAuth, { fromMs: issuedAtMs - SKEW_MS, toMs: expiresAtMs });
  }

  async #issue(request: Pkcs10CertificateRequest, names: JsonGeneralName[], usage: ExtendedKeyUsage, { fromMs, toMs }: Validity): Promise<string> {
    const { BasicConstraintsExtension, ExtendedKeyUsageExtension, KeyUsageFlags, KeyUsagesExtension, SubjectAlternativeNameExtension, X509CertificateGenerator } = await x509();
    const certificate = await X509CertificateGenerator.create({
      serialNumber: newSerial(),
      subject: request.subject,
      issuer: 'CN=Meridian fleet',
      notBefore: dateOf(fromMs),
      notAfter: dateOf(toMs),
      signingAlgorithm: KEY_ALGORITHM,
      publicKey: request.publicKey,
      signingKey: this.#key,
      extensions: [
        new BasicConstraintsExtension(false, undefined, true),
        new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
        new ExtendedKeyUsageExtension([usage], true),
        new SubjectAlternativeNameExtension(names),
      ],
    });
    return certificate.toString('pem');
  }
}

/** SHA-256 of a certificate's public key (its SubjectPublicKeyInfo), as HPKP (RFC 7469) pins it; in base64url. */
export function pinOf({ publicKey }: X509Certificate): string {
  return createHash('sha256').update(publicKey.export({ type: 'spki', format: 'der' })).digest('base64url');
}

async function readRequest(pem: string): Promise<Pkcs10CertificateRequest> {
  const { Pkcs10CertificateRequest: Request } = await x509();
  try {
    const request = new Request(pem);
    if (await request.verify()) return request;
  } catch {
    // Said below.
  }
  throw new MeridianError('invalid_value', { param: 'request', message: "Invalid value for 'request': expected a certificate request (PKCS #10, PEM) that is signed by its own key." });
}

function signingKey(key: KeyObject): Promise<webcrypto.CryptoKey> {
  return webcrypto.subtle.importKey('pkcs8', key.export({ type: 'pkcs8', format: 'der' }), KEY_ALGORITHM, false, ['sign']);
}

/** 127 random bits: a positive number, as X.509 wants it. */
function newSerial(): string {
  const bytes = randomBytes(16);
  bytes[0] = (bytes[0] ?? 0) & 0x7f;
  return bytes.toString('hex');
}
