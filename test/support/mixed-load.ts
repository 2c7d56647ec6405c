import type { GatewayConfig } from '../../src/config/index.ts';
import type { Rng } from '../../src/core/index.ts';
import type { RequestFault } from '../../src/sim/index.ts';
import { Asking } from './asking.ts';
import { MODEL, type TestFleet } from './test-fleet.ts';
import { until } from './until.ts';

/** Every way of failing that leaves the engine running, some on each engine. */
export const FAULTS: readonly RequestFault[] = [
  { kind: 'refuse', times: null, probability: 0.03 },
  { kind: 'error503', times: null, probability: 0.03 },
  { kind: 'error429', times: null, probability: 0.03 },
  { kind: 'empty', times: null, probability: 0.03 },
  { kind: 'garbage', times: null, probability: 0.03 },
  { kind: 'reset', afterTokens: 0, times: null, probability: 0.03 },
  { kind: 'reset', afterTokens: 7, times: null, probability: 0.03 },
  { kind: 'truncate', afterTokens: 3, times: null, probability: 0.03 },
  { kind: 'midError', afterTokens: 5, times: null, probability: 0.03 },
  { kind: 'stall', afterTokens: 0, times: 1, probability: 0.1 },
  { kind: 'stall', afterTokens: 4, times: 2, probability: 0.1 },
];

export interface Mix {
  readonly body: object;
  readonly path: string;
  readonly leave: 'never' | 'once sent' | 'in prefill' | { readonly afterBytes: number } | { readonly afterMs: number };
}

/** One request of the mix: half of them stay to the end, the others leave at a moment of their own. */
export function mixed(rng: Rng): Mix {
  const upTo = (n: number): number => Math.floor(rng.next() * n);
  const stream = rng.next() < 0.65;
  const isText = rng.next() < 0.2;
  const isLong = rng.next() < 0.15;
  const prompt = `${['The sea', 'A mountain road', 'Of rivers'][upTo(3)] ?? ''} ${'and the salt wind that comes from it '.repeat(isLong ? 500 + upTo(2_000) : 1 + upTo(80))}`;
  const body = {
    model: MODEL,
    seed: upTo(1_000),
    max_tokens: 1 + upTo(70),
    // A fault just at the mark that ends an answer hides that token from everybody but the engine.
    ignore_eos: true,
    stream,
    ...(stream && rng.next() < 0.5 ? { stream_options: { include_usage: true } } : {}),
    ...(rng.next() < 0.1 ? { n: 2 } : {}),
    ...(isText ? { prompt } : { messages: [{ role: 'user', content: prompt }] }),
  };
  const leave = ((): Mix['leave'] => {
    const chance = rng.next();
    if (chance < 0.5) return 'never';
    if (chance < 0.55) return 'once sent';
    if (chance < 0.65) return 'in prefill';
    return stream && chance < 0.85 ? { afterBytes: 1 + upTo(8_000) } : { afterMs: upTo(80) };
  })();
  return { body, path: isText ? '/completions' : '/chat/completions', leave };
}

/** Sends one request, and leaves it as the mix says. */
export async function run({ gateway, engines, apiKey: fleetKey }: TestFleet, { body, path, leave }: Mix, apiKey = fleetKey, headers: Readonly<Record<string, string>> = {}): Promise<Asking> {
  const asking = new Asking({ publicUrl: gateway.publicUrl, apiKey }, body, { path, headers });
  if (leave === 'never') return asking.over();
  if (typeof leave === 'object' && 'afterMs' in leave) {
    setTimeout(() => asking.leave(), leave.afterMs);
    return asking.over();
  }
  const isTime = {
    'once sent': () => asking.isSent,
    'in prefill': () => asking.isSent && engines.some(({ model }) => model.load().runningRequests > 0),
    bytes: () => typeof leave === 'object' && asking.bytes > leave.afterBytes,
  }[typeof leave === 'object' ? 'bytes' : leave];
  await until(() => asking.isOver || isTime(), 'the client leaves');
  asking.leave();
  return asking.over();
}

/** A gateway that gives up soon, and leaves no replica alone for what it did. */
export function impatient(config: GatewayConfig): GatewayConfig {
  return {
    ...config,
    // Breakers would soon leave nobody to fail.
    breaker: { ...config.breaker, failuresMax: 1_000 },
    retries: { ...config.retries, jitterMinMs: 0, jitterMaxMs: 5 },
    timeouts: { ...config.timeouts, firstTokenMs: 1_000, stallMs: 1_000, totalMs: 2_500 },
  };
}
