import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ConfigError, gatewayDefaults, loadDemoConfig, loadGatewayConfig, loadNodeConfig, type Environment } from '../../src/config/index.ts';

const SECRETS = { MERIDIAN_FLEET_TOKEN: 'token-of-the-fleet', MERIDIAN_ADMIN_KEY: 'key-of-the-administrator' };

const GATEWAY = `gateway: { id: g1, region: here }
listen: { fleet: { token: token-of-the-fleet } }
admin_key: key-of-the-administrator
models: { deepseek_v3: {} }
`;

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'meridian-config-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

function fileWith(yaml: string): string {
  const path = join(directory, 'gateway.yaml');
  writeFileSync(path, yaml);
  return path;
}

/** The faults as `line path message`. */
function faultsOf(load: () => unknown): string[] {
  try {
    load();
  } catch (thrown) {
    if (thrown instanceof ConfigError) return thrown.faults.map(({ line, path, message }) => `${line} ${path} ${message}`);
    throw thrown;
  }
  return [];
}

function gatewayFaultsOf(yaml: string, env: Environment = {}): string[] {
  return faultsOf(() => loadGatewayConfig(fileWith(yaml), env));
}

describe('the configurations that come with the project', () => {
  test('a gateway, a node and the demo load', () => {
    const node = loadNodeConfig('config/node.yaml', { ...SECRETS, MERIDIAN_NODE_ID: 'node-1', MERIDIAN_REGION: 'oci-uk-london' });
    expect(node).toMatchObject({ node: { id: 'node-1', region: 'oci-uk-london' }, engine: { kind: 'sglang' } });
    expect(loadGatewayConfig('config/gateway.yaml', SECRETS).models).toHaveProperty('deepseek-v3.servedAs', 'deepseek-ai/DeepSeek-V3');
    expect(loadDemoConfig('config/demo.yaml', SECRETS).demo.regions.map(({ name, nodes }) => [name, nodes])).toEqual([
      ['gcp-us-east4', 3],
      ['aws-us-west-2', 3],
      ['oci-uk-london', 2],
    ]);
  });

  test('they name every secret that the environment lacks', () => {
    expect(() => loadGatewayConfig('config/gateway.yaml', {})).toThrow(
      /^config\/gateway.yaml:\d+: listen.fleet.token needs .* MERIDIAN_FLEET_TOKEN, which is not set\nconfig\/gateway.yaml:\d+: admin_key needs .*$/,
    );
  });
});

describe('a configuration', () => {
  test('takes defaults for what is left out and spells keys for code, but keeps the names the user chose', () => {
    const config = loadGatewayConfig(fileWith(GATEWAY), {});
    const { listen: _, ...defaults } = gatewayDefaults();
    expect(config).toMatchObject(defaults);
    expect(config.limits.bodyBytesMax).toBe(4_194_304);
    expect(config.models).toEqual({ deepseek_v3: { contextTokens: 163_840, outputTokensMax: 32_768, bytesPerToken: 4, free: false } });
    expect(config.listen.fleet).toEqual({ host: '127.0.0.1', port: 8082, token: 'token-of-the-fleet', peers: [] });
  });

  test('reports ten faults of one file together, each with its line', () => {
    const yaml = `gateway: { id: g1, regoin: here }
listen:
  public:
    port: 80800
  admin: { tls: { cert_file: a.pem } }
admin_key: short
models: {}
replicas:
  - id: r1
    url: 10.0.0.5:8000
    region: here
    models: []
    engine: tgi
timeouts:
  stall_ms: 15s
`;
    expect(gatewayFaultsOf(yaml)).toEqual([
      '1 gateway.region is missing; it must be text',
      '1 gateway.regoin is not known; did you mean region?',
      '4 listen.public.port is 80800; it must be a whole number from 0 to 65535 (default 8080)',
      '5 listen.admin.tls.key_file is missing; it must be text',
      '6 admin_key is too short; it must be text of at least 20 characters',
      '7 models is an empty section; it must be a section with at least one key',
      '10 replicas[0].url is "10.0.0.5:8000"; it must be a URL with http:// or https://',
      '12 replicas[0].models is an empty list; it must be a list of at least one',
      '13 replicas[0].engine is "tgi"; it must be one of openai, sglang, vllm (default "openai")',
      '15 timeouts.stall_ms is "15s"; it must be a whole number from 0 to 86400000 (default 15000)',
    ]);
  });

  test.each<{ what: string; yaml: string; faults: string[] }>([
    { what: 'an empty section', yaml: 'limits:\n', faults: ['5 limits is empty; it must be a section with keys'] },
    { what: 'a fraction where whole numbers stand', yaml: 'limits: { in_flight_max: 1.5 }', faults: ['5 limits.in_flight_max is 1.5; it must be a whole number, 1 or more (default 10000)'] },
    { what: 'a negative time', yaml: 'timeouts:\n  connect_ms: -1', faults: ['6 timeouts.connect_ms is -1; it must be a whole number from 0 to 86400000 (default 1000)'] },
    { what: 'zero where a bound must allow something', yaml: 'retries: { attempts_max: 0 }', faults: ['5 retries.attempts_max is 0; it must be a whole number, 1 or more (default 3)'] },
    { what: 'a key that resembles none', yaml: 'journal: { password: x }', faults: ['5 journal.password is not known; known here: group_commit_ms, stream_group_commit_ms, checkpoint_ms'] },
    { what: 'a list where a section stands', yaml: 'breaker: []', faults: ['5 breaker is an empty list; it must be a section with keys'] },
    { what: 'text where a flag stands', yaml: 'routing_headers: { expose_replica: "yes" }', faults: ['5 routing_headers.expose_replica is "yes"; it must be true or false (default true)'] },
    { what: 'a least pause above the longest', yaml: 'retries: { jitter_min_ms: 300 }', faults: ['5 retries.jitter_min_ms is 300; it must be at most jitter_max_ms, which is 250'] },
    {
      what: 'a replica of an unknown model, and its name twice',
      yaml: 'replicas:\n  - { id: a, url: "http://h:1", region: r, models: [deepseek-v3] }\n  - { id: a, url: "http://h:1", region: r, models: [deepseek_v3] }',
      faults: [
        '6 replicas[0].models[0] is "deepseek-v3", which is not under models; did you mean deepseek_v3?',
        '7 replicas[1].id is "a" a second time; it must be unique',
      ],
    },
  ])('with $what is judged with its line', ({ yaml, faults }) => {
    expect(gatewayFaultsOf(GATEWAY + yaml)).toEqual(faults);
  });

  test('with two listeners on one address is refused', () => {
    const yaml = GATEWAY.replace('listen: {', 'listen: { admin: { port: 8080 },');
    expect(gatewayFaultsOf(yaml)).toEqual(['2 listen.admin.port is 8080, which listen.public has already']);
  });

  test('that nothing could ever answer is refused', () => {
    const yaml = GATEWAY.replace(/listen.*\n/, '');
    expect(gatewayFaultsOf(yaml)).toEqual(['1 replicas are none, and without listen.fleet no node can join: nothing could ever answer']);
  });

  test('with a wait that no timer holds is refused, for it would be none at all', () => {
    const [fault = '', ...more] = gatewayFaultsOf(`${GATEWAY}timeouts: { total_ms: 3000000000 }\n`);
    expect(more).toEqual([]);
    expect(fault).toMatch(/^5 timeouts\.total_ms .*86,?400,?000/);
  });

  test('that is not YAML is refused at the line where it breaks', () => {
    expect(gatewayFaultsOf(`${GATEWAY}limits: { a: 1\nb: [`)[0]).toMatch(/^[56] {2}/);
    expect(gatewayFaultsOf(`${GATEWAY}data_dir: a\ndata_dir: b\n`)).toEqual(['6  Map keys must be unique']);
  });

  test('that does not exist is refused by name', () => {
    expect(() => loadGatewayConfig('config/absent.yaml', {})).toThrow('config/absent.yaml: there is no such file');
  });

  test('that is empty lacks what has no default', () => {
    expect(gatewayFaultsOf('').map((fault) => fault.split(' ')[1])).toEqual(['gateway', 'admin_key', 'models']);
  });

  test('never shows a secret in a message', () => {
    const error = gatewayFaultsOf(GATEWAY.replace('key-of-the-administrator', 'hunter2')).join();
    expect(error).toContain('admin_key is too short');
    expect(error).not.toContain('hunter2');
  });
});

describe('the environment', () => {
  test('gives numbers where it stands without quotes, and text in quotes', () => {
    const config = loadGatewayConfig(fileWith(`${GATEWAY}data_dir: "\${N}"\nlimits:\n  in_flight_max: \${N}\n`), { N: '77' });
    expect([config.dataDir, config.limits.inFlightMax]).toEqual(['77', 77]);
  });

  test('stands inside text, falls back when unset or empty, and can be escaped', () => {
    const yaml = `${GATEWAY}data_dir: "/\${A}/\${B:-b}/\${C:-c}/$\${D}"\n`;
    expect(loadGatewayConfig(fileWith(yaml), { A: 'a', C: '' }).dataDir).toBe('/a/b/c/${D}');
  });

  test('lacking a variable is one fault for each place, beside the other faults', () => {
    expect(gatewayFaultsOf(`${GATEWAY}data_dir: "\${N}"\nlimits: { in_flight_max: "\${N}" }\ndrain: 1\n`)).toEqual([
      '5 data_dir needs the environment variable N, which is not set',
      '6 limits.in_flight_max needs the environment variable N, which is not set',
      '7 drain is 1; it must be a section with keys',
    ]);
  });

  test('with a wrong reference is a fault', () => {
    expect(gatewayFaultsOf(`${GATEWAY}data_dir: "\${A-B}"\n`)).toEqual(['5 data_dir has a ${…} that is neither ${NAME} nor ${NAME:-default}']);
  });
});

test('a node with half a certificate and crossed bounds is refused', () => {
  const yaml = `node: { id: n, region: r }
gateways: [http://g:1]
token: token-of-the-fleet
models: [m]
`;
  expect(faultsOf(() => loadNodeConfig(fileWith(yaml), {}))).toEqual(['2 gateways[0] is "http://g:1"; it must be a URL with ws:// or wss://']);
  const crossed = `${yaml.replace('http', 'wss')}tls: { cert_file: a }\nlink: { load_ms_min: 900 }\n`;
  expect(faultsOf(() => loadNodeConfig(fileWith(crossed), {}))).toEqual([
    '5 tls must have cert_file and key_file both, or neither',
    '6 link.load_ms_min is 900; it must be at most load_ms_max, which is 500',
  ]);
});

const JOIN = 'join: { token: mj_a-token-that-is-long-enough-for-the-schema }';

test.each<{ what: string; yaml: string; faults: string[] }>([
  { what: 'both a token for all and one of its own', yaml: `token: token-of-the-fleet\n${JOIN}`, faults: ['4 token and join are two ways to be let in: say one of them'] },
  { what: 'neither', yaml: '', faults: ['1 token is missing; say it, or join for a fleet with certificates'] },
  { what: 'join, and certificates besides', yaml: `${JOIN}\ntls: { ca_file: a }`, faults: ['5 tls is for a fleet with a token for all; with join, whom to trust and what to show is in the identity'] },
])('a node that says $what is refused', ({ yaml, faults }) => {
  const node = `node: { id: n, region: r }\ngateways: [wss://g:1]\nmodels: [m]\n${yaml}\n`;
  expect(faultsOf(() => loadNodeConfig(fileWith(node), {}))).toEqual(faults);
});

test('a node that would join over a link that is not encrypted is refused', () => {
  const node = `node: { id: n, region: r }\ngateways: [wss://g:1, ws://h:1]\nmodels: [m]\n${JOIN}\n`;
  expect(faultsOf(() => loadNodeConfig(fileWith(node), {}))).toEqual(['2 gateways[1] must begin with wss://: with join, every link is encrypted']);
});

test.each<{ what: string; fleet: string; faults: string[] }>([
  { what: 'lets nodes in by both ways', fleet: '{ token: token-of-the-fleet, join: { authority_dir: a } }', faults: ['2 listen.fleet.token and join are two ways to be let in: say one of them'] },
  { what: 'lets them in by none', fleet: '{ port: 1 }', faults: ['2 listen.fleet.token is missing; say it, or join for a fleet with certificates'] },
  { what: 'does not say where it is dialled', fleet: '{ host: 0.0.0.0, join: { authority_dir: a } }', faults: ['2 listen.fleet.join.hosts are missing: 0.0.0.0 is no address that a node could dial'] },
  { what: 'brings a certificate where it makes its own', fleet: '{ join: { authority_dir: a }, tls: { cert_file: a, key_file: b } }', faults: ['2 listen.fleet.tls is for a fleet with a token for all; with join, the gateway makes its certificate itself'] },
])('a gateway that $what is refused', ({ fleet, faults }) => {
  expect(gatewayFaultsOf(GATEWAY.replace('{ token: token-of-the-fleet }', fleet))).toEqual(faults);
});
