import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Asking } from '../support/asking.ts';
import { MODEL, startTestFleet, type TestFleet } from '../support/test-fleet.ts';
import { until } from '../support/until.ts';

const DOC = readFileSync('docs/metrics.md', 'utf8');
/** What a machine with GPUs, a fleet with certificates, or an engine with drafts has besides. */
const WITH_MORE = /^meridian_node_(gpu_|certificate_|engine_accept_)/;

let fleet: TestFleet;
beforeAll(async () => {
  fleet = await startTestFleet({ regions: { 'gcp-us-east4': 1 } });
  await new Asking({ publicUrl: fleet.gateway.publicUrl, apiKey: fleet.apiKey }, { model: MODEL, stream: true, max_tokens: 20, ignore_eos: true, messages: [{ role: 'user', content: 'Hi' }] }).over();
});
afterAll(() => fleet.close());

async function namesAt(url: string): Promise<string[]> {
  const text = await (await fetch(url)).text();
  return [...text.matchAll(/^# TYPE (\S+) /gm)].map(([, name = '']) => name);
}

const documented = (prefix: RegExp): string[] => [...DOC.matchAll(/^\| `([a-z0-9_]+)` \|/gm)].map(([, name = '']) => name).filter((name) => prefix.test(name));

test('docs/metrics.md names every metric of a gateway, and no other', async () => {
  const names = await namesAt(`${fleet.gateway.adminUrl}/metrics`);
  expect(documented(/^(?!meridian_node_)/).toSorted()).toEqual(names.filter((name) => name !== 'target_info').toSorted());
});

test('docs/metrics.md names every metric of a node, and no other', async () => {
  const url = `http://127.0.0.1:${fleet.daemons[0]?.localPort}/metrics`;
  await until(async () => (await namesAt(url)).includes('meridian_node_engine_decode_tokens_per_second'), 'the load is known');
  expect(documented(/^meridian_node_/).filter((name) => !WITH_MORE.test(name)).toSorted()).toEqual((await namesAt(url)).toSorted());
});

test('a node measures first tokens and the pace of the rest', async () => {
  const text = await (await fetch(`http://127.0.0.1:${fleet.daemons[0]?.localPort}/metrics`)).text();
  expect(text).toMatch(/^meridian_node_ttft_seconds_count [1-9]/m);
  expect(text).toMatch(/^meridian_node_tpot_seconds_sum 0\.\d*[1-9]/m);
});
