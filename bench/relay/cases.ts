import type { Job } from './load-job.ts';

/** How long each part of a measurement takes. */
export interface Plan {
  readonly rounds: number;
  readonly warmUp: Job;
  readonly json: Job;
  readonly fast: Job;
  readonly paced: Job;
  readonly latency: Job;
  readonly idle: IdlePlan;
}

export interface IdlePlan {
  /** Streams that are open before the first look, so that what a process allocates once is not counted. */
  readonly baseStreams: number;
  /** Streams opened between the two looks. */
  readonly addedStreams: number;
  readonly settleMs: number;
}

const STEP_MS = 20;
const PACED_STREAMS = 400;
/** Nearly the length of a paced stream, so that streams end evenly over time. */
const PACED_RAMP_MS = 1_280;
const CONNECTIONS = 32;

/** The measurements as they are documented; `quick` shortens them, for a look while working. */
export function plan(rounds: number, quick: boolean): Plan {
  const scale = quick ? 0.4 : 1;
  const asFastAsTheyGo = { connections: CONNECTIONS, rampMs: 0, pace: { kind: 'unpaced' } } as const;
  return {
    rounds,
    warmUp: { ...asFastAsTheyGo, request: 'json', warmUpMs: 0, windowMs: 10_000 * scale },
    json: { ...asFastAsTheyGo, request: 'json', warmUpMs: 500 * scale, windowMs: 3_000 * scale },
    fast: { ...asFastAsTheyGo, request: 'stream', warmUpMs: 1_500 * scale, windowMs: 3_000 * scale },
    paced: {
      request: 'stream',
      pace: { kind: 'steps', stepMs: STEP_MS },
      connections: PACED_STREAMS,
      rampMs: PACED_RAMP_MS,
      warmUpMs: 2_000 * scale,
      windowMs: 6_000 * scale,
    },
    latency: {
      request: 'json',
      pace: { kind: 'unpaced' },
      connections: 4,
      rampMs: 0,
      warmUpMs: 500 * scale,
      windowMs: 4_000 * scale,
      requestsPerSecond: 200,
    },
    idle: { baseStreams: 200, addedStreams: 1_000, settleMs: 1_000 * scale },
  };
}
