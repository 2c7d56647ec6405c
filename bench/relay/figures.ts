import type { LoadResult } from './load-job.ts';
import type { Measurement } from './measure-row.ts';
import { median } from '../statistics.ts';

/** One row's results in the units of the table. A figure that cannot be known is NaN. */
export interface Figures {
  readonly cpuUsPerJson: number;
  readonly cpuUsPerFastStream: number;
  readonly cpuUsPerPacedStream: number;
  /** CPU of the node daemons, not part of the proxy's. */
  readonly nodeCpuUsPerPacedStream: number;
  /** Of one core, while 400 paced streams are open. Near 1 the proxy is full and gathers tokens, which flatters it. */
  readonly pacedCoreShare: number;
  /** Reads of the client's socket per paced stream; well under 65 the proxy sends tokens in clumps. */
  readonly readsPerPacedStream: number;
  readonly addedP50Ms: number;
  readonly addedP99Ms: number;
  readonly addedFirstTokenP50Ms: number;
  readonly addedFirstTokenP99Ms: number;
  readonly residentKiBPerIdleStream: number;
  readonly heapKiBPerIdleStream: number;
  /** Wrong answers in all rounds and parts. */
  readonly errors: number;
}

/** Medians over the rounds. Added time is compared with the direct row of the same round. */
export function figuresOf(rounds: readonly Measurement[], directRounds: readonly Measurement[]): Figures {
  const over = (figure: (round: Measurement, direct: Measurement | undefined) => number): number =>
    median(rounds.map((round, index) => figure(round, directRounds[index])));
  return {
    cpuUsPerJson: over(({ json }) => proxyCpuUs(json)),
    cpuUsPerFastStream: over(({ fast }) => proxyCpuUs(fast)),
    cpuUsPerPacedStream: over(({ paced }) => proxyCpuUs(paced)),
    nodeCpuUsPerPacedStream: over(({ paced }) => paced.cpuNs.nodes / 1000 / paced.finished),
    pacedCoreShare: over(({ paced }) => paced.cpuNs.proxy / 1e6 / paced.windowMs),
    readsPerPacedStream: over(({ paced }) => paced.readsPerAnswer),
    addedP50Ms: over(({ latency }, direct) => latency.latencyMs.p50 - (direct?.latency.latencyMs.p50 ?? Number.NaN)),
    addedP99Ms: over(({ latency }, direct) => latency.latencyMs.p99 - (direct?.latency.latencyMs.p99 ?? Number.NaN)),
    addedFirstTokenP50Ms: over(({ paced }, direct) => paced.firstTokenMs.p50 - (direct?.paced.firstTokenMs.p50 ?? Number.NaN)),
    addedFirstTokenP99Ms: over(({ paced }, direct) => paced.firstTokenMs.p99 - (direct?.paced.firstTokenMs.p99 ?? Number.NaN)),
    residentKiBPerIdleStream: over(({ idle }) => idle.residentBytesPerStream / 1024),
    heapKiBPerIdleStream: over(({ idle }) => (idle.heapBytesPerStream ?? Number.NaN) / 1024),
    errors: rounds.flatMap(parts).reduce((total, part) => total + part.errors, 0),
  };
}

/** What was wrong with answers, in words, for the reader of the report. */
export function errorSamples(rounds: readonly Measurement[]): string[] {
  return [...new Set(rounds.flatMap(parts).flatMap((part) => part.errorSamples))];
}

function parts(round: Measurement): LoadResult[] {
  return [round.json, round.fast, round.paced, round.latency];
}

function proxyCpuUs(result: LoadResult): number {
  return result.cpuNs.proxy / 1000 / result.finished;
}
