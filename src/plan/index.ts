import type { LaunchLine } from './launch/launch.ts';
import { sglangLaunch } from './launch/sglang.ts';
import { trtllmLaunch } from './launch/trtllm.ts';
import { vllmLaunch } from './launch/vllm.ts';

export type { Launch, LaunchLine } from './launch/launch.ts';
export { alternatives } from './alternatives.ts';
export { planNode, type NodePlan, type NodeWish, type NumberFormat, type Parallelism } from './node-plan.ts';

/** By the kind of engine. */
export const LAUNCH_LINES: Readonly<Record<'sglang' | 'vllm' | 'trtllm', LaunchLine>> = { sglang: sglangLaunch, vllm: vllmLaunch, trtllm: trtllmLaunch };
