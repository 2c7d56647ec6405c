import type { Goal } from '../goal.ts';
import type { CellResult } from './cell.ts';

const OURS = 'meridian';
const MARGIN = 0.25;
const STALE_MAX = 0.1;
const AWAY_MAX = 0.25;

/** The goals of the table, as far as the cells that ran can tell. */
export function goalsOf(results: readonly CellResult[]): Goal[] {
  const fresh = results.filter(({ staleMs }) => staleMs === 0);
  const loads = [...new Set(fresh.map(({ load }) => load))];
  return [...loads.flatMap((load) => againstPeers(fresh, load)), ...loads.flatMap((load) => stale(results, load)), ...loads.flatMap((load) => away(fresh, load))];
}

function againstPeers(fresh: readonly CellResult[], load: number): Goal[] {
  const cells = fresh.filter((cell) => cell.load === load);
  const ours = cells.find(({ policy }) => policy === OURS);
  const peers = cells.filter(({ policy }) => policy !== OURS);
  if (ours === undefined || peers.length === 0) return [];
  return (['ttftMeanMs', 'ttftP99Ms'] as const).map((figure) => {
    const best = peers.reduce((least, cell) => (cell.summary[figure] < least.summary[figure] ? cell : least));
    const ratio = ours.summary[figure] / best.summary[figure];
    const bound = figure === 'ttftMeanMs' && load === 1 ? 1 - MARGIN : 1;
    const what = `load ${load}: ${figure === 'ttftMeanMs' ? 'mean' : 'p99'} TTFT against the best peer's (${best.policy})`;
    return { what, bound: `${bound < 1 ? '≤' : '<'} ${bound} ×`, reached: `${ratio.toFixed(2)} ×`, isMet: bound < 1 ? ratio <= bound : ratio < bound };
  });
}

function stale(results: readonly CellResult[], load: number): Goal[] {
  const ours = results.filter((cell) => cell.policy === OURS && cell.load === load);
  const fresh = ours.find(({ staleMs }) => staleMs === 0);
  if (fresh === undefined) return [];
  return ours
    .filter(({ staleMs }) => staleMs > 0)
    .map(({ staleMs, summary }) => {
      const worse = summary.ttftMeanMs / fresh.summary.ttftMeanMs - 1;
      return { what: `load ${load}: mean TTFT with telemetry ${staleMs / 1_000} s old`, bound: `≤ +${STALE_MAX * 100} %`, reached: `${(worse * 100).toFixed(0)} %`, isMet: worse <= STALE_MAX };
    });
}

/** While there is room at home: below a load of 1. */
function away(fresh: readonly CellResult[], load: number): Goal[] {
  const ours = fresh.find((cell) => cell.policy === OURS && cell.load === load);
  if (ours === undefined || load >= 1) return [];
  const share = ours.summary.crossRegionShare;
  return [{ what: `load ${load}: served outside the home region`, bound: `≤ ${AWAY_MAX * 100} %`, reached: `${(share * 100).toFixed(0)} %`, isMet: share <= AWAY_MAX }];
}
