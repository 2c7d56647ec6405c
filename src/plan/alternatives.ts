import type { HardwareConfig } from '../config/index.ts';
import { planNode, type NodePlan, type NodeWish } from './node-plan.ts';

const COUNTS = [1, 2, 4, 8, 16, 32, 64];

/** Nodes like the one wanted in which at least one sequence fits: more GPUs of its kind, the fewest first, and as many of other kinds. */
export function alternatives(wish: NodeWish, hardware: HardwareConfig): NodeWish[] {
  const more = COUNTS.filter((gpus) => gpus > wish.gpus).map((gpus) => ({ ...wish, gpus }));
  const others = Object.keys(hardware.gpus).filter((gpu) => gpu !== wish.gpu).map((gpu) => ({ ...wish, gpu }));
  const fitting = (wishes: NodeWish[]): NodeWish[] => wishes.filter((one) => (planOrNull(one, hardware)?.memory.sequences ?? 0) > 0);
  return [...fitting(more).slice(0, 1), ...fitting(others)];
}

/** A kind of GPU may lack the number format. */
function planOrNull(wish: NodeWish, hardware: HardwareConfig): NodePlan | null {
  try {
    return planNode(wish, hardware);
  } catch {
    return null;
  }
}
