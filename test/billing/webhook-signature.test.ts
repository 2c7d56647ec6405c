import fc from 'fast-check';
import { Webhook } from 'standardwebhooks';
import { describe, expect, test } from 'vitest';
import { SecretSeal } from '../../src/billing/index.ts';
import { newWebhookSecret, signatureHeaders } from '../../src/billing/webhooks/webhook-signature.ts';

describe('a signature', () => {
  test('is one that the official library accepts, whatever is signed', () => {
    fc.assert(
      fc.property(fc.json(), fc.uuid(), (body, id) => {
        const secret = newWebhookSecret();
        const headers = signatureHeaders({ id, body, wallMs: Date.now(), secrets: [secret] });
        expect(new Webhook(secret).verify(body, headers)).toEqual(JSON.parse(body));
      }),
    );
  });

  test('holds for no other body, id, time or secret', () => {
    const secret = newWebhookSecret();
    const headers = signatureHeaders({ id: 'evt_1', body: '{"a":1}', wallMs: Date.now(), secrets: [secret] });
    const check = (body: string, changed: object, by = secret) => () => new Webhook(by).verify(body, { ...headers, ...changed });
    expect(check('{"a":1}', {})).not.toThrow();
    expect(check('{"a":2}', {})).toThrow('No matching signature');
    expect(check('{"a":1}', { 'webhook-id': 'evt_2' })).toThrow('No matching signature');
    expect(check('{"a":1}', { 'webhook-timestamp': String(Number(headers['webhook-timestamp']) - 1) })).toThrow('No matching signature');
    expect(check('{"a":1}', {}, newWebhookSecret())).toThrow('No matching signature');
  });

  test('is there for each of several secrets', () => {
    const [old, fresh] = [newWebhookSecret(), newWebhookSecret()];
    const headers = signatureHeaders({ id: 'evt_1', body: '{}', wallMs: Date.now(), secrets: [fresh, old] });
    for (const secret of [old, fresh]) expect(new Webhook(secret).verify('{}', headers)).toEqual({});
  });

  test('is made with secrets of 32 bytes that are never the same', () => {
    const secrets = Array.from({ length: 100 }, newWebhookSecret);
    expect(new Set(secrets).size).toBe(100);
    for (const secret of secrets) expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
  });
});

describe('a sealed secret', () => {
  const seal = new SecretSeal(Buffer.alloc(32, 1));

  test('is read again by its owner, and looks different each time', () => {
    const sealed = seal.seal('whsec_x', 'we_1');
    expect(sealed).not.toContain('whsec');
    expect(seal.open(sealed, 'we_1')).toBe('whsec_x');
    expect(seal.seal('whsec_x', 'we_1')).not.toBe(sealed);
  });

  test('is read by nobody else, and not once a bit of it is flipped', () => {
    const sealed = seal.seal('whsec_x', 'we_1');
    const flipped = Buffer.from(sealed, 'base64');
    flipped.writeUInt8(flipped.readUInt8(flipped.length - 1) ^ 1, flipped.length - 1);
    expect(() => seal.open(sealed, 'we_2')).toThrow('cannot be read');
    expect(() => seal.open(flipped.toString('base64'), 'we_1')).toThrow('cannot be read');
    expect(() => seal.open('', 'we_1')).toThrow('cannot be read');
    expect(() => new SecretSeal(Buffer.alloc(32, 2)).open(sealed, 'we_1')).toThrow('cannot be read');
  });
});
