import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { NodeRegistry } from '../../src/identity/index.ts';
import { systemClock } from '../../src/core/index.ts';
import { hasPostgres, PostgresServer } from '../support/postgres-server.ts';

const IDENTITY = { node: 'n1', region: 'r', models: ['m'], networks: null };

describe.skipIf(!hasPostgres)('which nodes are members, as several gateways know it', () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await PostgresServer.start();
  });
  afterAll(() => server.close());

  async function several(count: number): Promise<readonly NodeRegistry[]> {
    const url = await server.database();
    const all = await Promise.all(Array.from({ length: count }, () => NodeRegistry.open({ kind: 'postgres', url, connectionsMax: 2 }, systemClock)));
    onTestFinished(async () => {
      await Promise.all(all.map((one) => one.close()));
    });
    return all;
  }

  const joining = (token: string) => ({ secret: token.slice('mj_'.length, token.indexOf('.')), ...IDENTITY, address: '10.0.0.1' });

  test('a token that is used at several gateways at once lets one in', async () => {
    const all = await several(6);
    const { token } = (await all[0]?.allow(IDENTITY, 60_000, 'pin')) ?? { token: '' };
    const answers = await Promise.allSettled(all.map((registry) => registry.join(joining(token))));
    expect(answers.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const answer of answers) if (answer.status === 'rejected') expect(String(answer.reason)).toContain('was used from 10.0.0.1 already');
  });

  test('a node that one gateway revokes is refused by all', async () => {
    const [one, other] = await several(2);
    const { token } = (await one?.allow(IDENTITY, 60_000, 'pin')) ?? { token: '' };
    await one?.join(joining(token));
    const bearer = { role: 'node' as const, identity: IDENTITY, issuedAtMs: Date.now() + 1, expiresAtMs: Date.now() + 60_000 };
    expect(await other?.refusal(bearer, '10.0.0.1')).toBeNull();
    await one?.revoke('n1');
    expect(await other?.refusal(bearer, '10.0.0.1')).toBe('it was revoked');
    expect(await other?.nodes({ limit: 10 })).toMatchObject([{ identity: IDENTITY, revokedAtMs: expect.any(Number) }]);
  });
});
