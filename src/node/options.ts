import type { CanaryOptions, ContinuationSetting, EngineKind } from '../engine/index.ts';
import type { HeldIdentity } from '../identity/index.ts';
import type { BackoffOptions } from '../link/index.ts';

/** What a node daemon must be told: who it is, whom to dial, which engine it fronts. */
export interface NodeDaemonOptions {
  readonly node: { readonly id: string; readonly region: string };
  /** Fleet listeners of gateways, `ws:` or `wss:`; a URL without a path means `/link`. */
  readonly gateways: readonly string[];
  readonly credentials: NodeCredentials;
  readonly engine: EngineOptions;
  readonly models: readonly string[];
  readonly weightDtype: string;
  readonly contextTokens: number;
  /** Size of the KV cache; what the engine says without it. */
  readonly kvTokens?: number | undefined;
  /** Requests decoded at once; what the engine says without it. */
  readonly maxRunning?: number | undefined;
  /** Where the local HTTP listens; port 0 takes any free one. */
  readonly listen: { readonly host: string; readonly port: number };
  readonly link: LinkOptions;
  readonly canary: CanaryOptions;
  /** What running attempts get to finish in a drain. */
  readonly drainMs: number;
  readonly tuning?: Partial<NodeTuning> | undefined;
}

/** By what gateways let the node in: a token that all nodes have (`tls`: PEM texts, for `wss:` gateways), or an identity of its own. */
export type NodeCredentials =
  | { readonly kind: 'token'; readonly token: string; readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string } | undefined }
  | { readonly kind: 'identity'; readonly identity: HeldIdentity };

export interface EngineOptions {
  readonly kind: EngineKind;
  readonly continuation: ContinuationSetting;
  /** Base URL without `/v1`. */
  readonly url: string;
  /** Program and arguments; without it something else runs the engine. */
  readonly command?: readonly string[] | undefined;
  readonly cwd?: string | undefined;
  /** Environment of the engine beyond that of the daemon. */
  readonly env: Readonly<Record<string, string>>;
  readonly apiKey?: string | undefined;
  readonly startTimeoutMs: number;
  readonly restart: { readonly backoffMinMs: number; readonly backoffMaxMs: number };
  /** Lets the engine stand on an address that is not the loopback. */
  readonly allowRemote?: boolean | undefined;
}

export interface LinkOptions {
  /** Least and most time between two load reports. */
  readonly loadMsMin: number;
  readonly loadMsMax: number;
  /** Time between two tellings of what changed in the cache. */
  readonly prefixMs: number;
  readonly pingMs: number;
  readonly deadMs: number;
  readonly batchWindowMs: number;
  readonly reconnectMinMs: number;
  readonly reconnectMaxMs: number;
  readonly messageBytesMax: number;
  readonly heldBytesMax: number;
}

/** The link as the configuration has it by default. */
export const LINK_DEFAULTS: LinkOptions = {
  loadMsMin: 50,
  loadMsMax: 500,
  prefixMs: 100,
  pingMs: 500,
  deadMs: 2_000,
  batchWindowMs: 1,
  reconnectMinMs: 250,
  reconnectMaxMs: 10_000,
  messageBytesMax: 16 << 20,
  heldBytesMax: 64 << 20,
};

/** Bounds that hardly anybody needs to change. */
export interface NodeTuning {
  /** Attempts in the engine at once, each on its own connection; beyond them the node answers 503. */
  readonly attemptsMax: number;
  /** Connections for load, health and aborts, apart from those of attempts so that they never queue behind them. */
  readonly controlConnectionsMax: number;
  readonly connectTimeoutMs: number;
  readonly controlTimeoutMs: number;
  readonly eventBytesMax: number;
  readonly answerBytesMax: number;
  /** How long the engine's last counts are waited for after an abort. */
  readonly abortWaitMs: number;
  /** An abort that came before the engine had read the request is not obeyed, so it is said again this often. */
  readonly abortRepeatMs: number;
  /** Settlements per gateway that wait for its acknowledgement, and ended attempts whose end may still be lost. */
  readonly settlementsMax: number;
  readonly probeMs: number;
  readonly probeTimeoutMs: number;
  /** Probes that fail in a row before a silent engine counts as unhealthy. */
  readonly probeFailuresMax: number;
  /** A token within this time proves life, whatever the probes say. */
  readonly progressMs: number;
  /** Attempts that run while no byte comes from the engine for so long make it suspect, whatever its probes say. */
  readonly silentMs: number;
  /** How often the engine is asked who it is, so that a restart nobody saw is noticed. */
  readonly infoMs: number;
  /** What a supervised engine gets between SIGTERM and SIGKILL. */
  readonly stopGraceMs: number;
  /** Links at most, those learned from gateways included. */
  readonly gatewaysMax: number;
  /** Between two looks at whether the certificate is to be renewed. */
  readonly renewMs: number;
  /** What tells of GPUs, and how often it is asked. */
  readonly gpuProgram: string;
  readonly gpuMs: number;
}

export const NODE_TUNING: NodeTuning = {
  attemptsMax: 4_096,
  controlConnectionsMax: 32,
  connectTimeoutMs: 1_000,
  controlTimeoutMs: 5_000,
  eventBytesMax: 4 << 20,
  answerBytesMax: 64 << 20,
  abortWaitMs: 1_000,
  abortRepeatMs: 200,
  settlementsMax: 16_384,
  probeMs: 1_000,
  probeTimeoutMs: 5_000,
  probeFailuresMax: 3,
  progressMs: 10_000,
  silentMs: 15_000,
  infoMs: 10_000,
  stopGraceMs: 10_000,
  gatewaysMax: 64,
  renewMs: 30_000,
  gpuProgram: 'nvidia-smi',
  gpuMs: 10_000,
};

/** Thrown for options that no daemon may run with. */
export class NodeOptionsError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'NodeOptionsError';
  }
}

export function reconnectBackoff(link: LinkOptions): BackoffOptions {
  return { minMs: link.reconnectMinMs, maxMs: link.reconnectMaxMs };
}
