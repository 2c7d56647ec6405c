import type { LookupFunction } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { MeridianError } from '../../src/core/index.ts';
import { WebhookSender, type AddressRules } from '../../src/billing/index.ts';
import { checkAddress, checkWebhookUrl } from '../../src/billing/webhooks/webhook-address.ts';
import { WebhookReceiver } from '../support/webhook-receiver.ts';

const STRICT: AddressRules = { allowPrivate: false, allowLoopback: false };
const MESSAGE = { headers: { 'content-type': 'application/json' }, body: '{}' };

function refusalOf(work: () => unknown): MeridianError | null {
  try {
    work();
    return null;
  } catch (error) {
    if (error instanceof MeridianError) return error;
    throw error;
  }
}

describe('a URL for webhooks', () => {
  test.each(['https://example.com/a?b=c', 'https://example.com:8443', 'https://8.8.8.8/', 'https://[2606:4700::1111]/'])('may be %s', (url) => {
    expect(refusalOf(() => checkWebhookUrl(url, STRICT))).toBeNull();
  });

  test.each([
    ['example.com', 'expected a URL'],
    ['http://example.com/', 'expected https'],
    ['ftp://example.com/', 'expected https'],
    ['file:///etc/passwd', 'expected https'],
    ['https://me:secret@example.com/', 'user name'],
    ['https://10.1.2.3/', 'not a public address'],
    ['https://2130706433/', '127.0.0.1 is not a public address'],
    ['https://0x7f.1/', '127.0.0.1 is not a public address'],
    ['https://[::1]/', 'not a public address'],
    ['https://[::ffff:10.0.0.1]/', 'not a public address'],
    ['https://169.254.169.254/latest/meta-data', 'not a public address'],
  ])('may not be %s', (url, what) => {
    const refusal = refusalOf(() => checkWebhookUrl(url, STRICT));
    expect(refusal).toMatchObject({ code: 'invalid_value', param: 'url' });
    expect(refusal?.message).toContain(what);
  });

  test('may be plain http on this machine, where that is allowed, and nowhere else', () => {
    const lax = { allowPrivate: true, allowLoopback: true };
    for (const url of ['http://localhost:3000/', 'http://127.0.0.1/', 'http://[::1]/']) {
      expect(refusalOf(() => checkWebhookUrl(url, lax))).toBeNull();
      expect(refusalOf(() => checkWebhookUrl(url, STRICT))?.message).toContain('expected https');
    }
    for (const url of ['http://10.0.0.1/', 'http://example.com/', 'http://localhost.example.com/']) expect(refusalOf(() => checkWebhookUrl(url, lax))?.message).toContain('expected https');
  });
});

describe('an address', () => {
  const kinds = {
    private: ['10.0.0.1', '172.16.0.1', '172.31.255.255', '192.168.1.1', '100.64.0.1', 'fc00::1', 'fd12::1'],
    loopback: ['127.0.0.1', '127.9.9.9', '::1'],
    never: [
      '0.0.0.0', '169.254.169.254', '169.254.1.1', '100.100.100.200', '168.63.129.16', '192.0.0.192', '198.18.0.1', '203.0.113.5', '224.0.0.1', '255.255.255.255',
      '::', 'fe80::1', 'ff02::1', '::ffff:8.8.8.8', '::ffff:127.0.0.1', '64:ff9b::a00:1', '2001::1', '2001:db8::1', '2002:a00:1::', 'fd00:ec2::254', 'not-an-address', '',
    ],
    public: ['1.1.1.1', '172.15.255.255', '172.32.0.1', '100.128.0.1', '11.0.0.1', '2606:4700::1111', '2a00:1450::1'],
  };
  const allowed = (rules: AddressRules) => (address: string) => refusalOf(() => checkAddress(address, rules)) === null;

  test('is sent to when it is public, and by no more than what is allowed besides', () => {
    const all = Object.values(kinds).flat();
    expect(all.filter(allowed(STRICT))).toEqual(kinds.public);
    expect(new Set(all.filter(allowed({ ...STRICT, allowPrivate: true })))).toEqual(new Set([...kinds.public, ...kinds.private]));
    expect(new Set(all.filter(allowed({ ...STRICT, allowLoopback: true })))).toEqual(new Set([...kinds.public, ...kinds.loopback]));
  });
});

describe('a name', () => {
  const giving =
    (...addresses: string[]): LookupFunction =>
    (_name, _options, callback) =>
      callback(null, addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })));

  async function sent(lookup: LookupFunction, url: string, rules = STRICT): Promise<unknown> {
    const sender = new WebhookSender({ ...rules, lookup });
    onTestFinished(() => sender.close());
    return sender.send({ url, ...MESSAGE }, new AbortController().signal).catch((error: unknown) => error);
  }

  test('that stands for a private address is refused before anything connects', async () => {
    const receiver = await WebhookReceiver.start();
    for (const addresses of [['127.0.0.1'], ['1.1.1.1', '127.0.0.1'], ['10.0.0.5'], ['::ffff:127.0.0.1']]) {
      expect(await sent(giving(...addresses), `https://hooks.example.com:${receiver.port}/`)).toMatchObject({ code: 'invalid_value', param: 'url' });
    }
    expect(receiver.connections).toBe(0);
  });

  test('or an address that was allowed once, and is no more, is refused when something is sent', async () => {
    const receiver = await WebhookReceiver.start();
    expect(await sent(giving('127.0.0.1'), receiver.url)).toMatchObject({ code: 'invalid_value', param: 'url' });
    expect(await sent(giving('127.0.0.1'), `https://127.0.0.1:${receiver.port}/`)).toMatchObject({ code: 'invalid_value', param: 'url' });
    expect(receiver.connections).toBe(0);
  });

  test('is connected to at the address that was checked', async () => {
    const receiver = await WebhookReceiver.start();
    const asked: string[] = [];
    const lookup: LookupFunction = (name, options, callback) => {
      asked.push(name);
      giving('127.0.0.1')(name, options, callback);
    };
    expect(await sent(lookup, `http://localhost:${receiver.port}/`, { allowPrivate: false, allowLoopback: true })).toBe(204);
    expect(asked).toEqual(['localhost']);
  });

  test('that stands for nothing is an error', async () => {
    expect(await sent(giving(), 'https://hooks.example.com/')).toMatchObject({ message: expect.stringContaining('has no address') });
  });
});
