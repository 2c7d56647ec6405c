import { Asking } from '../../test/support/asking.ts';
import { MODEL, startTestFleet } from '../../test/support/test-fleet.ts';
import { until } from '../../test/support/until.ts';
import type { Goal } from '../goal.ts';

const CLIENTS = 2_000;

/** All clients of a gateway leave at the same moment: how long until no engine works for them any more. */
export async function abortsAtOnce(scale: number): Promise<Goal> {
  const clients = Math.round(CLIENTS * scale);
  const fleet = await startTestFleet({
    regions: { 'gcp-us-east4': 4, 'aws-us-west-2': 4 },
    engine: { timeScale: 0.1, engine: { maxRunningRequests: 512 } },
    config: (config) => ({
      ...config,
      limits: { ...config.limits, connectionsPerAddressMax: 0, inFlightPerAddressMax: 0 },
      overload: { ...config.overload, standard: { ...config.overload.standard, delayMs: 60_000 }, batch: { ...config.overload.batch, delayMs: 60_000 }, critical: { ...config.overload.critical, delayMs: 60_000 } },
      admission: { ...config.admission, overShareWaitMs: 60_000, ttftObjectiveMs: 60_000 },
    }),
  });
  try {
    const body = { model: MODEL, max_tokens: 1_500, ignore_eos: true, stream: true, messages: [{ role: 'user', content: 'Go on' }] };
    const askings: Asking[] = [];
    for (let i = 0; i < clients; i += 1) {
      askings.push(new Asking({ publicUrl: fleet.gateway.publicUrl, apiKey: fleet.apiKey }, { ...body, seed: i }));
      if (i % 100 === 99) await until(() => askings.every(({ isOver, bytes }) => isOver || bytes > 0), 'the streams flow');
    }
    const flowing = askings.filter(({ isOver }) => !isOver).length;
    const startMs = performance.now();
    for (const asking of askings) asking.leave();
    await until(() => fleet.engines.every(({ model }) => model.load().runningRequests + model.load().waitingRequests === 0), 'all engines are idle');
    const tookMs = performance.now() - startMs;
    return { what: `${flowing} clients leave at once: all their attempts stopped in the engines`, bound: '≤ 1000 ms', reached: `${tookMs.toFixed(0)} ms`, isMet: tookMs <= 1_000 };
  } finally {
    await fleet.close();
  }
}
