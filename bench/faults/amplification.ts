import { Asking } from '../../test/support/asking.ts';
import { MODEL, startTestFleet } from '../../test/support/test-fleet.ts';
import { NO_FAULTS } from '../../src/sim/index.ts';
import type { Goal } from '../goal.ts';
import { inParallel } from './in-parallel.ts';

const REQUESTS = 6_000;
const AT_ONCE = 50;

/** Every engine refuses everything: how many attempts a request costs then. */
export async function amplification(scale: number): Promise<Goal> {
  const fleet = await startTestFleet({
    regions: { 'gcp-us-east4': 3, 'aws-us-west-2': 3 },
    config: (config) => ({ ...config, retries: { ...config.retries, budgetReserve: 10 } }),
  });
  try {
    for (const { faults } of fleet.engines) faults.set({ ...NO_FAULTS, requests: [{ kind: 'refuse', times: null, probability: 1 }] });
    const total = Math.round(REQUESTS * scale);
    const body = { model: MODEL, max_tokens: 3, messages: [{ role: 'user', content: 'Hi' }] };
    await inParallel(total, AT_ONCE, async () => {
      await new Asking({ publicUrl: fleet.gateway.publicUrl, apiKey: fleet.apiKey }, body).over();
    });
    const started = fleet.daemons.reduce((sum, daemon) => sum + daemon.status().counters.attemptsStarted + daemon.status().counters.attemptsRefused, 0);
    const ratio = started / total;
    return { what: `every attempt fails, ${total} requests: attempts for each`, bound: '≤ 1.10', reached: ratio.toFixed(3), isMet: ratio <= 1.1 };
  } finally {
    await fleet.close();
  }
}
