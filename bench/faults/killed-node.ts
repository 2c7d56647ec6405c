import { Asking } from '../../test/support/asking.ts';
import { MODEL, startTestFleet } from '../../test/support/test-fleet.ts';
import { NO_FAULTS } from '../../src/sim/index.ts';
import type { Goal } from '../goal.ts';
import { inParallel } from './in-parallel.ts';

const REQUESTS = 10_000;
const AT_ONCE = 50;
/** Of an engine's requests this share meets its death before the first byte. */
const DEATHS = 0.02;

/** Requests whose engine breaks their connection before the first byte, now and then: how many are answered all the same. */
export async function killedBeforeFirstByte(scale: number): Promise<Goal> {
  const fleet = await startTestFleet({
    regions: { 'gcp-us-east4': 2, 'aws-us-west-2': 2, 'oci-uk-london': 2 },
    engine: { timeScale: 50 },
    config: (config) => ({ ...config, retries: { ...config.retries, budgetReserve: 10 }, balancer: { ...config.balancer, awayMs: 0 } }),
  });
  try {
    for (const { faults } of fleet.engines) faults.set({ ...NO_FAULTS, requests: [{ kind: 'reset', afterTokens: 0, times: null, probability: DEATHS }] });
    const total = Math.round(REQUESTS * scale);
    let answered = 0;
    await inParallel(total, AT_ONCE, async (i) => {
      const body = { model: MODEL, seed: i, max_tokens: 3, ignore_eos: true, stream: i % 2 === 0, messages: [{ role: 'user', content: `Number ${i}` }] };
      const asking = await new Asking({ publicUrl: fleet.gateway.publicUrl, apiKey: fleet.apiKey }, body).over();
      if (asking.isAcknowledged) answered += 1;
    });
    const share = answered / total;
    return { what: `an engine dies before the first byte of one request in fifty, ${total} requests: answered`, bound: '≥ 99.9 %', reached: `${(share * 100).toFixed(2)} %`, isMet: share >= 0.999 };
  } finally {
    await fleet.close();
  }
}
