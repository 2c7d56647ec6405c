import { PROTOCOL_VERSION, type HelloMessage } from '../link/index.ts';
import { continuationOf, type EngineInfo } from '../engine/index.ts';
import type { NodeDaemonOptions } from './options.ts';

/** Who this node is and what it can serve; what the engine says fills the gaps of the options. */
export function helloMessage(options: NodeDaemonOptions, epoch: string, info: EngineInfo | null): HelloMessage {
  const { node, engine, models, weightDtype, contextTokens, kvTokens, maxRunning } = options;
  return {
    type: 'hello',
    protocol: PROTOCOL_VERSION,
    node: node.id,
    region: node.region,
    epoch,
    engine: { kind: engine.kind, version: info?.version ?? null },
    models: [...models],
    weightDtype,
    contextTokens: Math.min(contextTokens, info?.contextTokens ?? contextTokens),
    kvTokens: kvTokens ?? info?.kvTokens ?? null,
    runningMax: maxRunning ?? info?.runningMax ?? null,
    continuation: continuationOf(engine.continuation, engine.kind, info),
    replicas: replicaIds(node.id, info).map((id, rank) => ({ id, rank })),
  };
}

/** The replicas of a node, by rank: the node itself, or each data-parallel rank of its engine. */
export function replicaIds(node: string, info: EngineInfo | null): string[] {
  const ranks = info?.ranks ?? 1;
  return ranks === 1 ? [node] : Array.from({ length: ranks }, (_, rank) => `${node}-${rank}`);
}
