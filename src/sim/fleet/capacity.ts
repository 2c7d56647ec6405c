import { decodeStepMs, type EngineModelConfig } from '../engine-config.ts';
import type { Workload } from './workload.ts';

/** What a workload asks of a fleet at the least, if the caches of all replicas were one. */
export interface Demand {
  /** Time of one replica that an average request takes, in milliseconds. */
  readonly workMs: number;
  /** Share of prompt tokens that one pooled cache would hold. */
  readonly cachedShare: number;
  /** Requests per second of the workload as it is. */
  readonly requestsPerS: number;
}

/**
 * Work of a request = uncached prompt tokens ÷ prefill rate + answer tokens × step time ÷ batch. Uncached is counted by one
 * least-recently-used cache as large as those of all replicas together, and the batch is as large as KV memory lets it be: so
 * this is the least that any placement can need.
 */
export function demandOf({ requests }: Workload, replicas: number, engine: EngineModelConfig): Demand {
  const first = requests[0];
  const last = requests.at(-1);
  if (first === undefined || last === undefined) throw new RangeError('a workload needs at least one request');
  const cache = new PooledCache(Math.floor((replicas * engine.kvTokens) / first.tokensPerBlock));
  let promptTokens = 0;
  let outputTokens = 0;
  let cachedTokens = 0;
  for (const request of requests) {
    promptTokens += request.promptTokens;
    outputTokens += request.outputTokens;
    cachedTokens += Math.min(request.promptTokens - 1, cache.use(request.chain, request.answeredChain) * request.tokensPerBlock);
  }
  const batch = Math.max(1, Math.min(engine.maxRunningRequests, (engine.kvTokens * requests.length) / (promptTokens + outputTokens)));
  const workMs =
    ((promptTokens - cachedTokens) * 1_000) / engine.prefillTokensPerSecond + (outputTokens * decodeStepMs(engine.decodeStep, batch)) / batch;
  return {
    workMs: workMs / requests.length,
    cachedShare: cachedTokens / promptTokens,
    requestsPerS: (requests.length * 1_000) / Math.max(1, last.arrivalMs - first.arrivalMs),
  };
}

/** By how much arrivals must be drawn together so that `replicas` are loaded to `load`: 1 is as much work as they can do. */
export function compression(demand: Demand, replicas: number, load: number): number {
  return (load * replicas * 1_000) / (demand.workMs * demand.requestsPerS);
}

/** The same requests, `factor` times as fast. */
export function compressed({ about, requests, homes }: Workload, factor: number): Workload {
  return { about, homes, requests: requests.map((request) => ({ ...request, arrivalMs: request.arrivalMs / factor })) };
}

class PooledCache {
  readonly #blocksMax: number;
  /** A map keeps the order in which keys were set: the first is the one used longest ago. */
  readonly #held = new Map<number, true>();

  constructor(blocksMax: number) {
    this.#blocksMax = blocksMax;
  }

  /** How many blocks of the prompt are held; then holds prompt and answer. */
  use(chain: Uint32Array, answered: Uint32Array): number {
    const blocks = chain.length >> 1;
    let matched = 0;
    while (matched < blocks && this.#held.has(key(chain, matched))) matched += 1;
    for (let i = (answered.length >> 1) - 1; i >= 0; i -= 1) {
      const one = key(answered, i);
      this.#held.delete(one);
      this.#held.set(one, true);
    }
    for (const oldest of this.#held.keys()) {
      if (this.#held.size <= this.#blocksMax) break;
      this.#held.delete(oldest);
    }
    return matched;
  }
}

function key(chain: Uint32Array, block: number): number {
  return (chain[2 * block + 1] ?? 0) * 0x1_0000_0000 + (chain[2 * block] ?? 0);
}
