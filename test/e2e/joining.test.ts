import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join as joinPath } from 'node:path';
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { startGateway, type Gateway } from '../../src/app.ts';
import { noLog, seededRng, systemClock } from '../../src/core/index.ts';
import { HeldIdentity, initAuthority, join } from '../../src/identity/index.ts';
import { newCertificateRequest } from '../../src/identity/key-pair.ts';
import { startNodeDaemon, type NodeDaemonOptions } from '../../src/node/index.ts';
import { startSimEngine } from '../../src/sim/index.ts';
import { adminOf, baseConfig, MODEL, nodeOptions } from '../support/test-fleet.ts';
import { until } from '../support/until.ts';

const REGION = 'gcp-us-east4';
const NODE = { node: 'n1', region: REGION, models: [MODEL] };

let directory: string;
let logged: { readonly message: string; readonly fields: Readonly<Record<string, unknown>> }[];
const note = (fields: object, message: string): void => void logged.push({ message, fields: { ...fields } });
const WORLD = { clock: systemClock, rng: seededRng(3), log: { ...noLog, info: note, warn: note, error: note } };

beforeEach(async () => {
  directory = mkdtempSync(joinPath(tmpdir(), 'meridian-join-'));
  logged = [];
  await initAuthority(path('ca'), systemClock.wallMs());
});
afterEach(async () => rmSync(directory, { recursive: true }));

const path = (name: string): string => joinPath(directory, name);
const reasons = (message: string): string[] => logged.filter((one) => one.message === message).map(({ fields }) => String(fields['reason']));

interface FleetOf {
  readonly id?: string;
  readonly authority?: string;
  readonly certificateMs?: number;
  readonly peers?: { readonly id: string; readonly url: string }[];
}

async function gatewayOf({ id = 'g1', authority = 'ca', certificateMs = 60_000, peers = [] }: FleetOf = {}): Promise<Gateway> {
  const listen = { host: '127.0.0.1', port: 0 };
  const base = baseConfig(path(`data-${id}`));
  const fleet = { ...listen, join: { authorityDir: path(authority), hosts: [], certificateMs }, peers };
  const gateway = await startGateway({ ...base, gateway: { id, region: REGION }, listen: { ...base.listen, fleet } }, WORLD);
  onTestFinished(() => gateway.close());
  return gateway;
}

async function tokenFor({ adminUrl }: Gateway, change: object = {}): Promise<string> {
  const { status, json } = await adminOf(adminUrl)('POST', '/admin/v1/join_tokens', { ...NODE, ...change });
  expect(status).toBe(201);
  return String(json['token']);
}

const joinAt = (gateway: Gateway, token: string, name = 'identity', node: typeof NODE = NODE): Promise<HeldIdentity> =>
  join({ gateway: String(gateway.fleetUrl), token, node, path: path(`${name}.json`), timeoutMs: 10_000 });

async function startNode(gateway: Gateway, identity: HeldIdentity, change: Partial<NodeDaemonOptions> = {}, world = WORLD) {
  const engine = await startSimEngine({ model: MODEL, timeScale: 20 });
  const options = nodeOptions('n1', REGION, engine.url, String(gateway.fleetUrl));
  const daemon = await startNodeDaemon({ ...options, credentials: { kind: 'identity', identity }, ...change }, world);
  onTestFinished(async () => {
    await daemon.close();
    await engine.close();
  });
  return daemon;
}

const isLinked = ({ fleet }: Gateway, id = 'n1'): boolean => fleet.get(id) !== undefined;

async function ask({ publicUrl, keys }: Gateway): Promise<number> {
  const headers = { authorization: `Bearer ${(await keys.create({ name: 'test' })).secret}`, 'content-type': 'application/json' };
  const answer = await fetch(`${publicUrl}/chat/completions`, { method: 'POST', headers, body: JSON.stringify({ model: MODEL, max_tokens: 3, messages: [{ role: 'user', content: 'Hello' }] }) });
  return answer.status;
}

describe('a node', () => {
  test('joins by its token, serves, and comes back by the identity that it keeps', async () => {
    const gateway = await gatewayOf();
    expect(gateway.fleetUrl).toMatch(/^wss:/);
    await joinAt(gateway, await tokenFor(gateway));
    const kept = HeldIdentity.load(path('identity.json'));
    if (kept === null) throw new Error('no identity was kept');
    const daemon = await startNode(gateway, kept);
    await until(() => gateway.fleet.get('n1')?.state === 'ready', 'it is ready');
    expect(await ask(gateway)).toBe(200);
    await daemon.close();
    await until(() => !isLinked(gateway), 'it is gone');
    await startNode(gateway, kept);
    await until(() => isLinked(gateway), 'it is back');
    expect((await adminOf(gateway.adminUrl)('GET', '/admin/v1/nodes')).json['data']).toMatchObject([{ id: 'n1', region: REGION, models: [MODEL], joined_from: '127.0.0.1', revoked_at: null }]);
    const { json } = await adminOf(gateway.adminUrl)('GET', '/v1/organization/audit_logs?limit=10');
    expect((json['data'] as { type: string }[]).map(({ type }) => type)).toEqual(expect.arrayContaining(['join_token.created', 'node.joined']));
  });

  test('renews its certificate over its link before it ends, and goes on by the new one', async () => {
    const gateway = await gatewayOf({ certificateMs: 5_000 });
    const identity = await joinAt(gateway, await tokenFor(gateway));
    const firstEndMs = identity.expiresAtMs;
    // The node's clock is ahead: it renews as often as it looks, and no pause of the machine makes it late.
    const ahead = { ...systemClock, wallMs: () => systemClock.wallMs() + 4_000 };
    await startNode(gateway, identity, { tuning: { renewMs: 50 } }, { ...WORLD, clock: ahead });
    await until(() => isLinked(gateway), 'it is linked');
    await until(() => systemClock.wallMs() > firstEndMs + 100, 'its first certificate has ended');
    expect(reasons('node link is down')).toEqual([]);
    expect(isLinked(gateway)).toBe(true);
    expect(identity.expiresAtMs).toBeGreaterThan(firstEndMs);
    expect(HeldIdentity.load(path('identity.json'))?.expiresAtMs).toBe(identity.expiresAtMs);
  });

  test('is cut off when its certificate ends without having been renewed, and is refused from then on', async () => {
    // Long enough for a slow machine to link before it ends.
    const gateway = await gatewayOf({ certificateMs: 4_000 });
    const identity = await joinAt(gateway, await tokenFor(gateway));
    await startNode(gateway, identity, { tuning: { renewMs: 600_000 } });
    await until(() => reasons('node link is down').includes('its certificate has expired'), 'it is cut off');
    await until(() => reasons('a node is refused').some((why) => why.includes('its certificate has expired: it must join anew')), 'it is refused');
    expect(isLinked(gateway)).toBe(false);
  });

  test('that is revoked is cut off at once and stays out, until it joins by a new token', async () => {
    const gateway = await gatewayOf();
    const identity = await joinAt(gateway, await tokenFor(gateway));
    const daemon = await startNode(gateway, identity);
    await until(() => isLinked(gateway), 'it is linked');
    expect((await adminOf(gateway.adminUrl)('POST', '/admin/v1/nodes/n1/revoke')).status).toBe(200);
    expect(isLinked(gateway)).toBe(false);
    await until(() => reasons('a node is refused').includes('it was revoked'), 'it is refused');
    expect(reasons('node link is down')).toContain('it was revoked');
    await daemon.close();
    await startNode(gateway, await joinAt(gateway, await tokenFor(gateway), 'again'));
    await until(() => isLinked(gateway), 'it is linked again');
    // What it had before is no better for that.
    const old = await startNode(gateway, identity);
    await until(() => reasons('a node is refused').includes('the node has joined anew since'), 'the old identity is refused');
    await old.close();
    expect((await adminOf(gateway.adminUrl)('POST', '/admin/v1/nodes/n9/revoke')).status).toBe(404);
  });

  test('that knows one gateway is told of the others, and links to them all by one identity', async () => {
    const second = await gatewayOf({ id: 'g2' });
    const first = await gatewayOf({ peers: [{ id: 'g2', url: String(second.fleetUrl) }] });
    await startNode(first, await joinAt(first, await tokenFor(first)));
    await until(() => isLinked(first) && isLinked(second), 'it is linked to both');
    expect(await ask(second)).toBe(200);
  });
});

describe('a join is refused', () => {
  test.each<[string, object, typeof NODE, string]>([
    ['from a network that the token is not for', { networks: ['10.0.0.0/8'] }, NODE, 'may not be used from 127.0.0.1'],
    ['to a node of another name', {}, { ...NODE, node: 'n2' }, "it is 'n2', and may be 'n1' only"],
    ['in another region', {}, { ...NODE, region: 'oci-uk-london' }, "it stands in 'oci-uk-london'"],
    ['with another model', {}, { ...NODE, models: [MODEL, 'another'] }, "it serves 'another'"],
  ])('%s; the token stays good for the one it is for', async (_, change, node, why) => {
    const gateway = await gatewayOf();
    const token = await tokenFor(gateway, change);
    await expect(joinAt(gateway, token, 'identity', node)).rejects.toMatchObject({ code: 'permission_denied', message: expect.stringContaining(why) });
    expect(reasons('a node that wanted to join is refused').join()).toContain(why);
    expect(HeldIdentity.load(path('identity.json'))).toBeNull();
    if (!('networks' in change)) await joinAt(gateway, token);
  });

  test('by a token that was used, and whoever holds the node is told from where', async () => {
    const gateway = await gatewayOf();
    const token = await tokenFor(gateway);
    await joinAt(gateway, token);
    await expect(joinAt(gateway, token, 'replayed')).rejects.toMatchObject({ code: 'permission_denied', message: expect.stringContaining('was used from 127.0.0.1 already') });
    // However many come at once, one of them joins.
    const contested = await tokenFor(gateway, { node: 'n2' });
    const ends = await Promise.allSettled(Array.from({ length: 5 }, (_, i) => joinAt(gateway, contested, `race-${i}`, { ...NODE, node: 'n2' })));
    expect(ends.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });

  test('by a token that is too old, that nobody made, or that is none', async () => {
    const gateway = await gatewayOf();
    const token = await tokenFor(gateway, { expires_in_seconds: 1 });
    const endMs = systemClock.wallMs() + 1_000;
    await until(() => systemClock.wallMs() > endMs, 'the token has ended');
    await expect(joinAt(gateway, token)).rejects.toMatchObject({ code: 'permission_denied', message: expect.stringContaining('has expired') });
    await expect(joinAt(gateway, `mj_${'x'.repeat(43)}${token.slice(46)}`)).rejects.toMatchObject({ message: expect.stringContaining('is not known here') });
    await expect(joinAt(gateway, 'a-token')).rejects.toMatchObject({ code: 'invalid_value', param: 'join.token' });
  });

  test('by the node itself, at a gateway of another fleet: the token is not shown to it', async () => {
    const gateway = await gatewayOf();
    await initAuthority(path('other-ca'), systemClock.wallMs());
    const other = await gatewayOf({ id: 'g2', authority: 'other-ca' });
    await expect(joinAt(other, await tokenFor(gateway))).rejects.toMatchObject({ code: 'upstream_error', message: expect.stringContaining('its authority is another') });
    expect(logged.filter(({ message }) => message === 'a node that wanted to join is refused')).toEqual([]);
  });
});

describe('a link is refused', () => {
  test('to who shows no certificate, or one of another authority', async () => {
    const gateway = await gatewayOf();
    const identity = await joinAt(gateway, await tokenFor(gateway));
    const own = identity.tls().ca;
    await startNode(gateway, identity, { credentials: { kind: 'token', token: 'any-token-at-all', tls: { ca: own } } });
    await until(() => reasons('a node is refused').some((why) => why.includes('it shows no certificate')), 'it is refused');
    await until(() => reasons('node link is down').some((why) => why.includes('the gateway refuses this node: it shows no certificate')), 'it is told why');
    const foreign = await initAuthority(path('other-ca'), systemClock.wallMs());
    const { key, request } = await newCertificateRequest();
    const nowMs = systemClock.wallMs();
    const forged = HeldIdentity.save(path('forged.json'), { key, certificate: await foreign.certifyNode(request, { ...NODE, networks: null }, nowMs, nowMs + 60_000), authority: own });
    await startNode(gateway, forged);
    await until(() => reasons('a node is refused').some((why) => why.includes("not of this fleet's authority")), 'it is refused');
    expect(isLinked(gateway)).toBe(false);
  });

  test.each<[string, Partial<NodeDaemonOptions>, string]>([
    ["another's id", { node: { id: 'n2', region: REGION } }, "it is 'n2', and may be 'n1' only"],
    ['another region', { node: { id: 'n1', region: 'oci-uk-london' } }, "it stands in 'oci-uk-london'"],
    ['a model that it may not serve', { models: [MODEL, 'another'] }, "it serves 'another'"],
  ])('to a node that claims %s', async (_, change, why) => {
    const gateway = await gatewayOf();
    await startNode(gateway, await joinAt(gateway, await tokenFor(gateway)), change);
    await until(() => reasons('a node claims to be what its certificate does not say, and is refused').some((reason) => reason.includes(why)), 'it is refused');
    expect(gateway.fleet.all()).toEqual([]);
    // It is told why, and waits before it dials again.
    await until(() => reasons('node link is down').some((reason) => reason.includes(why)), 'it is told');
  });

  test('by a node, to a gateway that shows the certificate of a node', async () => {
    const gateway = await gatewayOf();
    const identity = await joinAt(gateway, await tokenFor(gateway));
    const { checkServerIdentity } = identity.tls();
    const raw = new X509Certificate(identity.tls().cert).raw;
    expect(checkServerIdentity('127.0.0.1', { raw } as Parameters<typeof checkServerIdentity>[1])?.message).toContain('is no gateway of this fleet');
  });
});
