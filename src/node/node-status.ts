import type { StateMessage } from '../link/index.ts';
import type { EngineLoad } from '../engine/index.ts';
import type { MirrorAccuracy } from '../prefix/index.ts';
import type { NodeCounters } from './counters.ts';
import type { GpuFacts } from './gpu-watch.ts';

/** How a node stands, for people: what `GET /status` answers. */
export interface NodeStatus {
  readonly node: string;
  readonly region: string;
  readonly state: StateMessage['state'];
  readonly reason: string;
  readonly engine: {
    readonly kind: string;
    readonly url: string;
    /** Null when something else runs the engine, or it is not running. */
    readonly pid: number | null;
    readonly epoch: string;
    readonly version: string | null;
  };
  readonly models: readonly string[];
  readonly attemptsInFlight: number;
  readonly loads: readonly EngineLoad[];
  readonly gateways: readonly GatewayStatus[];
  /** Empty where there are none, or nothing tells of them. */
  readonly gpus: readonly GpuFacts[];
  readonly cacheMirror: CacheMirrorStatus;
  readonly counters: Readonly<NodeCounters>;
}

/** What the mirrors of the engine's caches hold, and how true they proved. */
export interface CacheMirrorStatus extends MirrorAccuracy {
  readonly blocks: number;
}

export interface GatewayStatus {
  readonly url: string;
  /** The gateway's own name, once it told it. */
  readonly id: string | null;
  readonly isConnected: boolean;
  /** The newest round trip; null before there was one. */
  readonly rttMs: number | null;
  readonly attempts: number;
  readonly settlementsPending: number;
}
