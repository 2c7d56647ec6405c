import type { NodePlan } from '../node-plan.ts';

/** How an engine is started for a plan. */
export interface Launch {
  /** Program and arguments: `engine.command` of the node's configuration. */
  readonly command: readonly string[];
  /** Files that the command names. */
  readonly files: readonly { readonly path: string; readonly text: string }[];
}

/** One kind of engine. */
export type LaunchLine = (plan: NodePlan) => Launch;

/** The daemon reaches the engine here, and nobody else does. */
export const HOST = '127.0.0.1';
export const PORT = '30000';

/** Options with their values, in this order. */
export function options(values: Readonly<Record<string, string | number>>): string[] {
  return Object.entries(values).flatMap(([name, value]) => [name, String(value)]);
}

/** Requests that may wait in the engine before it says that it is full: what the gateway would rather send elsewhere. */
export function queueMax({ wish: { concurrency } }: NodePlan): number {
  return Math.max(64, 4 * concurrency);
}
