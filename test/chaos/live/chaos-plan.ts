import type { Rng } from '../../../src/core/index.ts';

/** What is done to a node, its engine, its link or its region. */
export const FAULT_KINDS = [
  'kill-engine',
  'kill-node',
  'stall-engine',
  'slow-engine',
  'cut-link',
  'stall-link',
  'bad-line',
  'fail-fast',
  'flaky-engine',
  'lose-region',
] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

/** A fault from one moment to another, in milliseconds since the start; `place` is the number of a node, or of a region. */
export interface PlannedFault {
  readonly kind: FaultKind;
  readonly place: number;
  readonly fromMs: number;
  readonly toMs: number;
}

const CALM_MS = 3_000;
const BETWEEN_MS = { least: 1_500, most: 5_000 };
const LASTING_MS = { least: 2_000, most: 14_000 };

/** Faults one after another, never two at one node, and at most one region lost at a time; the same for the same seed. */
export function chaosPlan(durationMs: number, nodes: number, regions: number, rng: Rng): PlannedFault[] {
  const within = ({ least, most }: { readonly least: number; readonly most: number }): number => least + rng.next() * (most - least);
  const faults: PlannedFault[] = [];
  let kinds: FaultKind[] = [];
  for (let atMs = CALM_MS; atMs < durationMs - CALM_MS; atMs += within(BETWEEN_MS)) {
    // Each kind has its turn before any comes again.
    if (kinds.length === 0) kinds = [...FAULT_KINDS];
    const [kind = 'kill-engine'] = kinds.splice(Math.floor(rng.next() * kinds.length), 1);
    const toMs = Math.min(durationMs, atMs + within(LASTING_MS));
    const isRegion = kind === 'lose-region';
    const place = Math.floor(rng.next() * (isRegion ? regions : nodes));
    if (!faults.some((other) => overlaps(other, { kind, place, fromMs: atMs, toMs }, nodes / regions))) faults.push({ kind, place, fromMs: atMs, toMs });
  }
  return faults;
}

/** A node needs a moment of peace after a fault before it can show that it is back. */
const PEACE_MS = 3_000;

function overlaps(one: PlannedFault, other: PlannedFault, nodesPerRegion: number): boolean {
  if (one.toMs + PEACE_MS < other.fromMs || other.toMs + PEACE_MS < one.fromMs) return false;
  if (one.kind === 'lose-region' && other.kind === 'lose-region') return true;
  const region = (fault: PlannedFault): number => (fault.kind === 'lose-region' ? fault.place : Math.floor(fault.place / nodesPerRegion));
  return one.kind === 'lose-region' || other.kind === 'lose-region' ? region(one) === region(other) : one.place === other.place;
}
