import { afterEach, describe, expect, test } from 'vitest';
import { noLog, seededRng, systemClock, type Clock } from '../../src/core/index.ts';
import { CANARY_DEFAULTS, startNodeDaemon, type NodeDaemon } from '../../src/node/index.ts';
import { NO_FAULTS, startSimEngine, type SimEngine } from '../../src/sim/index.ts';
import { Asking } from '../support/asking.ts';
import { freePort, MeridianProcess } from '../support/meridian-process.ts';
import { MODEL, nodeOptions, startTestFleet, type TestFleet, type TestFleetOptions } from '../support/test-fleet.ts';
import { until } from '../support/until.ts';
import { allRecords, recordOf } from '../support/usage-truth.ts';
import { FaultProxy } from './fault-proxy.ts';

const WORLD = { clock: systemClock, rng: seededRng(5), log: noLog };
const BODY = { model: MODEL, seed: 3, max_tokens: 60, ignore_eos: true, stream: true, messages: [{ role: 'user', content: 'Tell me of the wind' }] };

interface Closeable {
  close(): Promise<unknown>;
}

const open: Closeable[] = [];
afterEach(async () => {
  for (const one of open.splice(0).toReversed()) await one.close();
});

async function fleetOf(options: TestFleetOptions): Promise<TestFleet> {
  const fleet = await startTestFleet(options);
  open.push(fleet);
  return fleet;
}

const ask = ({ gateway, apiKey }: TestFleet, more: object = {}): Asking => new Asking({ publicUrl: gateway.publicUrl, apiKey }, { ...BODY, ...more });
const stateOf = (fleet: TestFleet, id: string): string => fleet.gateway.fleet.get(id)?.state ?? 'gone';

interface OwnNode {
  readonly engine: SimEngine;
  readonly line: FaultProxy;
  readonly daemon: NodeDaemon;
}

/** A node of its own, with a line to the gateway that can be hurt, and canaries. */
async function addNode(fleet: TestFleet, id: string, region: string, engine?: SimEngine): Promise<OwnNode> {
  const own = engine ?? (await startSimEngine({ model: MODEL, timeScale: 20 }));
  const { hostname, port, pathname } = new URL(String(fleet.gateway.fleetUrl));
  const line = await FaultProxy.start({ host: hostname, port: Number(port) }, WORLD);
  const options = nodeOptions(id, region, own.url, `ws://127.0.0.1:${line.port}${pathname}`);
  const daemon = await startNodeDaemon({ ...options, canary: { ...CANARY_DEFAULTS, everyMs: 100, againMs: 50 }, link: { ...options.link, pingMs: 50, deadMs: 500 } }, WORLD);
  open.push(own, line, daemon);
  await until(() => stateOf(fleet, id) !== 'gone', 'the node is linked');
  return { engine: own, line, daemon };
}

describe('an engine', () => {
  test('row 7: that writes garbage is left out by its canaries, and taken back once it makes sense', async () => {
    const fleet = await fleetOf({ regions: { 'gcp-us-east4': 1 } });
    const { engine } = await addNode(fleet, 'odd', 'aws-us-west-2');
    await until(() => stateOf(fleet, 'odd') === 'ready', 'it is ready');
    engine.faults.set({ ...NO_FAULTS, requests: [{ kind: 'garbage', times: null, probability: 1 }] });
    await until(() => stateOf(fleet, 'odd') === 'unhealthy', 'it is left out');
    expect(fleet.gateway.fleet.get('odd')?.reason).toContain('make no sense');
    for (let i = 0; i < 5; i += 1) expect((await recordOf(fleet, (await ask(fleet).over()).requestId)).attempts.map(({ replica }) => replica)).toEqual(['gcp-us-east4-1']);
    engine.faults.clear();
    await until(() => stateOf(fleet, 'odd') === 'ready', 'it is taken back');
  });

  test('row 35: that is cold gets nothing before a canary has passed', async () => {
    const fleet = await fleetOf({ regions: {} });
    const cold = await startSimEngine({ model: MODEL, timeScale: 20, faults: { ...NO_FAULTS, requests: [{ kind: 'error503', times: 3, probability: 1 }] } });
    await addNode(fleet, 'cold', 'gcp-us-east4', cold);
    const seen: string[] = [];
    await until(() => {
      const state = stateOf(fleet, 'cold');
      if (seen.at(-1) !== state) seen.push(state);
      return state === 'ready';
    }, 'it is ready');
    expect(seen).toContain('warming');
    expect(cold.server.log.totals().finished, 'a canary was answered').toBeGreaterThan(0);
    expect((await ask(fleet).over()).isDone).toBe(true);
  });

  test('row 9: that is stopped in mid-stream loses its streams to another one, and is found though its port still takes connections', { timeout: 40_000 }, async () => {
    const fleet = await fleetOf({
      regions: { 'gcp-us-east4': 1 },
      config: (config) => ({ ...config, timeouts: { ...config.timeouts, stallMs: 1_500 }, balancer: { ...config.balancer, regionPriceMs: { 'gcp-us-east4': 1e6 } } }),
    });
    const port = await freePort();
    const engine = new MeridianProcess(['sim-engine', '--port', String(port), '--model', MODEL, '--time-scale', '4']);
    open.push({ close: () => engine.end('SIGKILL') });
    await engine.prints('simulated engine at');
    const { line, daemon } = await addNode(fleet, 'stopped', 'oci-uk-london', { url: `http://127.0.0.1:${port}`, close: () => Promise.resolve() } as SimEngine);
    expect(line.connections).toBe(1);
    await until(() => stateOf(fleet, 'stopped') === 'ready', 'it is ready');
    const undisturbed = (await ask(fleet, { max_tokens: 400 }).over()).content;
    const asking = ask(fleet, { max_tokens: 400 });
    await until(() => asking.bytes > 3_000, 'the stream flows');
    process.kill(engine.pid, 'SIGSTOP');
    await asking.over();
    process.kill(engine.pid, 'SIGCONT');
    expect(asking.content).toBe(undisturbed);
    expect(asking.isDone).toBe(true);
    const record = await recordOf(fleet, asking.requestId);
    expect(record.attempts.map(({ replica }) => replica)).toEqual(['stopped', 'gcp-us-east4-1']);
    expect(record.attempts[0]?.error_code).toBe('upstream_timeout');
    await daemon.close();
  });

  test('row 37: that crashes and comes back loses no answer, and nothing is believed of its cache any more', async () => {
    const fleet = await fleetOf({ regions: { 'gcp-us-east4': 1 }, config: (config) => ({ ...config, balancer: { ...config.balancer, regionPriceMs: { 'gcp-us-east4': 1e6 } } }) });
    const { engine, daemon } = await addNode(fleet, 'crashing', 'oci-uk-london');
    await until(() => stateOf(fleet, 'crashing') === 'ready', 'it is ready');
    const undisturbed = (await ask(fleet, { max_tokens: 300 }).over()).content;
    await until(() => daemon.status().cacheMirror.blocks > 0, 'its cache is known');
    const before = daemon.status().engine.epoch;
    const asking = ask(fleet, { max_tokens: 300 });
    await until(() => asking.bytes > 3_000, 'the stream flows');
    await engine.close();
    await asking.over();
    expect(asking.content).toBe(undisturbed);
    await until(() => stateOf(fleet, 'crashing') === 'unhealthy', 'it is left out');
    const next = await startSimEngine({ model: MODEL, timeScale: 20, port: engine.port });
    open.push(next);
    await until(() => stateOf(fleet, 'crashing') === 'ready', 'it is back');
    expect(daemon.status().engine.epoch).not.toBe(before);
    expect(daemon.status().cacheMirror.blocks).toBe(0);
  });
});

describe('a fleet', () => {
  test('row 21: whose node is upgraded under load loses no answer', { timeout: 40_000 }, async () => {
    const fleet = await fleetOf({ regions: { 'gcp-us-east4': 1 } });
    const before = await addNode(fleet, 'upgraded', 'gcp-us-east4');
    await until(() => stateOf(fleet, 'upgraded') === 'ready', 'it is ready');
    const undisturbed = (await ask(fleet).over()).content;
    const answers: Asking[] = [];
    let isOver = false;
    const load = Promise.all(
      Array.from({ length: 6 }, async () => {
        while (!isOver) answers.push(await ask(fleet).over());
      }),
    );
    expect((await fleet.admin('POST', '/admin/v1/fleet/upgraded/drain')).status).toBe(202);
    await until(() => stateOf(fleet, 'upgraded') === 'draining', 'it drains');
    await before.daemon.drain();
    await before.daemon.close();
    await before.engine.close();
    await until(() => stateOf(fleet, 'upgraded') === 'gone', 'it is gone');
    await addNode(fleet, 'upgraded', 'gcp-us-east4');
    await until(() => stateOf(fleet, 'upgraded') === 'ready', 'it is back');
    expect(fleet.gateway.fleet.get('upgraded')?.rampAt(systemClock.now())).toBeLessThan(0.5);
    const served = answers.length;
    await until(() => answers.length > served + 20, 'the load goes on');
    isOver = true;
    await load;
    expect(answers.filter(({ isDone, content }) => !isDone || content !== undisturbed)).toEqual([]);
    const records = await allRecords(fleet);
    expect(records.filter(({ outcome }) => outcome !== 'completed')).toEqual([]);
    // What crossed the drain on its way was refused, and went elsewhere; nothing that had begun was lost.
    expect(records.flatMap(({ attempts }) => attempts).filter(({ outcome, error_code: code, ttft_ms: ttftMs }) => outcome === 'failed' && (code !== 'overloaded' || ttftMs !== null))).toEqual([]);
  });

  test('row 21: whose idle node is drained breaks nothing off that was on its way to it', async () => {
    const fleet = await fleetOf({ regions: { 'gcp-us-east4': 1 }, config: (config) => ({ ...config, balancer: { ...config.balancer, regionPriceMs: { 'gcp-us-east4': 1e6 } } }) });
    const { daemon, line } = await addNode(fleet, 'far', 'oci-uk-london');
    await until(() => stateOf(fleet, 'far') === 'ready', 'it is ready');
    line.set('down', { latencyMs: 200 });
    const asking = ask(fleet);
    await until(() => fleet.gateway.fleet.get('far')?.inFlight === 1, 'the attempt is sent');
    await daemon.drain();
    await daemon.close();
    await asking.over();
    const { attempts } = await recordOf(fleet, asking.requestId);
    expect(attempts.map(({ replica, error_code: code }) => [replica, code])).toEqual([['far', 'overloaded'], ['gcp-us-east4-1', null]]);
  });

  test('rows 22 and 23: that loses a region goes on elsewhere with every answer, and takes the region back slowly', { timeout: 40_000 }, async () => {
    const dear = { 'gcp-us-east4': 1e5, 'aws-us-west-2': 1e5 };
    const fleet = await fleetOf({ regions: { 'gcp-us-east4': 1, 'aws-us-west-2': 1 }, config: (config) => ({ ...config, balancer: { ...config.balancer, regionPriceMs: dear } }) });
    const lost = [await addNode(fleet, 'london-1', 'oci-uk-london'), await addNode(fleet, 'london-2', 'oci-uk-london')];
    await until(() => fleet.gateway.fleet.all().every(({ state }) => state === 'ready'), 'all are ready');
    const undisturbed = (await ask(fleet, { max_tokens: 250 }).over()).content;
    const asked = Array.from({ length: 24 }, () => ask(fleet, { max_tokens: 250 }));
    await until(() => asked.every(({ bytes }) => bytes > 1_000), 'the streams flow');
    for (const { line } of lost) for (const direction of ['up', 'down'] as const) line.set(direction, { isStalled: true });
    const answers = await Promise.all(asked.map((asking) => asking.over()));
    expect(answers.filter(({ isDone, content }) => !isDone || content !== undisturbed)).toEqual([]);
    const records = await Promise.all(answers.map(({ requestId }) => recordOf(fleet, requestId)));
    expect(records.filter(({ attempts }) => attempts.some(({ resumed_tokens: tokens }) => tokens > 0)).length, 'some were answered there').toBeGreaterThan(0);
    expect(records.every(({ usage }) => usage.completion_tokens === 250)).toBe(true);
    await until(() => stateOf(fleet, 'london-1') === 'gone' && stateOf(fleet, 'london-2') === 'gone', 'the region is given up');
    for (const { line } of lost) await line.heal();
    await until(() => stateOf(fleet, 'london-1') === 'ready' && stateOf(fleet, 'london-2') === 'ready', 'the region is back');
    expect(fleet.gateway.fleet.get('london-1')?.rampAt(systemClock.now())).toBeLessThan(0.5);
  });

  test('row 24: of which nobody is ready answers 503 at once; of which all have failed, it is tried all the same', async () => {
    const fleet = await fleetOf({ regions: { 'gcp-us-east4': 2 } });
    for (const { faults } of fleet.engines) faults.set({ ...NO_FAULTS, requests: [{ kind: 'error503', times: 4, probability: 1 }] });
    const replicas = fleet.gateway.fleet.all();
    await until(async () => {
      await ask(fleet).over();
      return replicas.every(({ breaker }) => breaker.state.kind !== 'closed');
    }, 'all breakers have opened');
    await until(async () => (await ask(fleet).over()).isDone, 'it is tried all the same, and answers');
    await Promise.all(fleet.daemons.map((daemon) => daemon.drain()));
    await until(() => replicas.every(({ state }) => state === 'draining'), 'nobody is ready');
    const refused = await ask(fleet).over();
    expect(refused.status).toBe(503);
    expect(refused.headers['retry-after']).toBeDefined();
    expect((await allRecords(fleet)).some(({ id }) => id === refused.requestId), 'nothing was tried').toBe(false);
  });
});

test('row 33: a wall clock that jumps changes no answer, no bound and no count', async () => {
  let offsetMs = 0;
  const jumping: Clock = { ...systemClock, wallMs: () => systemClock.wallMs() + offsetMs };
  const fleet = await startTestFleet({ regions: { 'gcp-us-east4': 1 }, clock: jumping });
  open.push(fleet);
  const undisturbed = (await ask(fleet, { max_tokens: 200 }).over()).content;
  for (const jumpMs of [3_600_000, -7_200_000, 86_400_000]) {
    const asking = ask(fleet, { max_tokens: 200 });
    await until(() => asking.bytes > 1_000, 'the stream flows');
    offsetMs += jumpMs;
    await asking.over();
    expect(asking.content).toBe(undisturbed);
    const record = await recordOf(fleet, asking.requestId);
    expect(record).toMatchObject({ outcome: 'completed', usage: { completion_tokens: 200 } });
    expect(Number(Reflect.get(record, 'duration_ms'))).toBeGreaterThan(0);
    expect(Number(Reflect.get(record, 'duration_ms'))).toBeLessThan(60_000);
  }
});
