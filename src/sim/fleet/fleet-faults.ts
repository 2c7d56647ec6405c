import { seededRng } from '../../core/index.ts';
import type { FleetPlan } from './fleet-plan.ts';

/** Something that goes wrong, at a moment of virtual time, in milliseconds. */
export type FleetFault =
  /** The replicas of a region die with what they were doing, and nobody is told: their links fall silent. They come back empty. */
  | { readonly kind: 'region-lost'; readonly region: string; readonly fromMs: number; readonly toMs: number }
  /** The same for one replica, by its number; its links break at once. */
  | { readonly kind: 'replica-killed'; readonly replica: number; readonly fromMs: number; readonly toMs: number }
  /** The steps of an engine take `factor` times as long. */
  | { readonly kind: 'slow'; readonly replica: number; readonly factor: number; readonly fromMs: number; readonly toMs: number }
  /** An engine makes nothing more, while its node goes on answering. */
  | { readonly kind: 'stalled'; readonly replica: number; readonly fromMs: number; readonly toMs: number }
  /** A link breaks, and the node dials in again at the end. */
  | { readonly kind: 'link-cut'; readonly replica: number; readonly fromMs: number; readonly toMs: number }
  /** A replica works on, but reports its load no more. */
  | { readonly kind: 'frozen-load'; readonly replica: number; readonly fromMs: number; readonly toMs: number };

const SHORTEST_MS = 5_000;
const LONGEST_MS = 120_000;
const SLOWEST = 8;

/** So many faults, spread at random over `durationMs`. Replicas are numbered from 0; of many regions one at a time is lost. */
export function randomFaults(count: number, plan: FleetPlan, durationMs: number, seed: number): FleetFault[] {
  const rng = seededRng(seed ^ 0x5eed);
  const replicas = plan.regions.reduce((sum, region) => sum + region.replicas, 0);
  const kinds = ['replica-killed', 'slow', 'frozen-load', 'stalled', 'link-cut', ...(plan.regions.length > 1 ? (['region-lost'] as const) : [])] as const;
  return Array.from({ length: count }, (_, i): FleetFault => {
    // One after the other within equal parts of the time, so that a fault of one replica does not meet another of the same.
    const part = durationMs / count;
    const fromMs = part * (i + 0.5 * rng.next());
    const toMs = fromMs + Math.min(part / 2, SHORTEST_MS + rng.next() * (LONGEST_MS - SHORTEST_MS));
    const kind = kinds[Math.floor(rng.next() * kinds.length)] ?? 'slow';
    const replica = Math.floor(rng.next() * replicas);
    if (kind === 'region-lost') return { kind, region: plan.regions[Math.floor(rng.next() * plan.regions.length)]?.name ?? '', fromMs, toMs };
    return kind === 'slow' ? { kind, replica, factor: 1 + rng.next() * SLOWEST, fromMs, toMs } : { kind, replica, fromMs, toMs };
  });
}
