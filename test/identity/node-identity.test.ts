import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { initAuthority, openAuthority, pinOf, type Authority } from '../../src/identity/index.ts';
import { newCertificateRequest } from '../../src/identity/key-pair.ts';
import { bearerOf } from '../../src/identity/node-identity.ts';

const NOW_MS = Date.UTC(2026, 10, 27);
const directory = mkdtempSync(join(tmpdir(), 'meridian-authority-'));
let authority: Authority;
beforeAll(async () => {
  authority = await initAuthority(directory, NOW_MS);
});
afterAll(() => rmSync(directory, { recursive: true }));

const name = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }).filter((text) => text.isWellFormed());
const identities = fc.record({
  node: name,
  region: name,
  models: fc.uniqueArray(name, { minLength: 1, maxLength: 3 }),
  networks: fc.constantFrom(null, ['10.0.0.0/8'], ['2001:db8::/32', '192.0.2.7']),
});

test('whatever a node is called, its certificate says what it may be, and for how long', async () => {
  const { request } = await newCertificateRequest();
  await fc.assert(
    fc.asyncProperty(identities, async (identity) => {
      const certificate = new X509Certificate(await authority.certifyNode(request, identity, NOW_MS, NOW_MS + 60_000));
      expect(bearerOf(certificate)).toEqual({ role: 'node', identity, issuedAtMs: NOW_MS, expiresAtMs: NOW_MS + 60_000 });
      expect(certificate.verify(authority.certificate.publicKey)).toBe(true);
    }),
    { numRuns: 50 },
  );
});

test('a gateway is known by its name and by the hosts it is dialled at', async () => {
  const { request } = await newCertificateRequest();
  const certificate = new X509Certificate(await authority.certifyGateway(request, 'eu-1', ['edge.example', '192.0.2.1', '::1'], NOW_MS, NOW_MS + 60_000));
  expect(bearerOf(certificate)).toEqual({ role: 'gateway', gateway: 'eu-1' });
  expect([certificate.checkHost('edge.example'), certificate.checkIP('192.0.2.1'), certificate.checkIP('::1')]).toEqual(['edge.example', '192.0.2.1', '::1']);
  expect(certificate.checkHost('other.example')).toBeUndefined();
});

test('the authority is the same when it is opened again, and another folder has another one', async () => {
  expect(pinOf((await openAuthority(directory)).certificate)).toBe(authority.pin);
  await expect(initAuthority(directory, NOW_MS)).rejects.toMatchObject({ code: 'conflict', message: expect.stringContaining('is there already') });
  await expect(openAuthority(join(directory, 'nowhere'))).rejects.toMatchObject({ code: 'conflict', message: expect.stringContaining('meridian ca init') });
});

test.each(['', 'no request', '-----BEGIN CERTIFICATE REQUEST-----\nMAA=\n-----END CERTIFICATE REQUEST-----'])('%j is no certificate request', async (request) => {
  await expect(authority.checkRequest(request)).rejects.toMatchObject({ code: 'invalid_value', param: 'request' });
});
