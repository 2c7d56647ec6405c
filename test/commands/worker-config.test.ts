import { expect, test } from 'vitest';
import { workerConfig, workersFault } from '../../src/commands/worker-config.ts';
import { baseConfig } from '../support/test-fleet.ts';

const config = baseConfig('/data');
const listen = { ...config.listen, public: { ...config.listen.public, port: 8080 }, admin: { ...config.listen.admin, port: 8081 }, fleet: { host: '0.0.0.0', port: 8082, token: 'a fleet token for tests', peers: [], advertiseUrl: 'ws://edge.example:9082' } };

test('a worker has the public port of all, and all else for itself', () => {
  expect(workerConfig({ ...config, listen }, 2)).toMatchObject({
    gateway: { id: 'test-2' },
    dataDir: '/data/worker-2',
    secretsFile: '/data/secrets.json',
    listen: { public: { port: 8080, reusePort: true }, admin: { port: 8101 }, fleet: { port: 8102, advertiseUrl: 'ws://edge.example:9102/' } },
  });
  expect(workerConfig({ ...config, secretsFile: '/etc/s.json' }, 0)).toMatchObject({ secretsFile: '/etc/s.json', listen: { admin: { port: 0 } } });
});

test('workers need a database to share, and a port', () => {
  const postgres = { url: 'postgres://h/d', connectionsMax: 2, statementMs: 1, eventsKeptMonths: 0 };
  expect([workersFault({ ...config, listen }), workersFault({ ...config, postgres }), workersFault({ ...config, listen, postgres })]).toEqual([expect.stringContaining('postgres'), expect.stringContaining('listen.public.port'), null]);
});
