import fc from 'fast-check';
import { expect, test } from 'vitest';
import { newApiKey } from '../../src/accounts/api-key.ts';
import { cacheSalts, parseApiKey } from '../../src/accounts/index.ts';

const PEPPER = Buffer.alloc(32, 7);

test('a key has one form and width, and any single slip in it is found without the store', () => {
  fc.assert(
    fc.property(fc.constantFrom('live' as const, 'admin' as const), fc.nat(48), fc.constantFrom('0', 'a', 'Z', '9'), (kind, at, char) => {
      const key = newApiKey(kind);
      expect(key).toMatch(/^mk_(live|admin)_[0-9A-Za-z]{49}$/);
      expect(parseApiKey(key)).toEqual({ kind, secret: key });
      const start = key.lastIndexOf('_') + 1;
      const slipped = key.slice(0, start + at) + char + key.slice(start + at + 1);
      if (slipped !== key) expect(parseApiKey(slipped)).toBeNull();
    }),
  );
  for (const text of ['', 'mk_live_', 'sk-abc', `${newApiKey('live')}x`, newApiKey('live').replace('live', 'admin')]) expect(parseApiKey(text)).toBeNull();
});

test('organizations have different cache salts, and one organization always the same', () => {
  const salt = cacheSalts(PEPPER);
  expect(salt('org_a')).toMatch(/^[0-9a-f]{64}$/);
  expect(salt('org_a')).toBe(cacheSalts(PEPPER)('org_a'));
  expect(salt('org_a')).not.toBe(salt('org_b'));
  expect(salt('org_a')).not.toBe(cacheSalts(Buffer.alloc(32, 8))('org_a'));
});
