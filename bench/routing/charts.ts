import type { CellResult } from './cell.ts';
import { lineChart, type Line } from './line-chart.ts';

/** The charts of a run, by the end of their file's name. */
export function routingCharts(results: readonly CellResult[]): Readonly<Record<string, string>> {
  const fresh = results.filter(({ staleMs }) => staleMs === 0);
  const stale = results.filter(({ load }) => load === 0.8);
  const charts: Record<string, string> = {};
  if (fresh.length > 0) {
    charts['ttft-mean'] = lineChart('Mean time to first token', 'load', linesOf(fresh, 'load', (cell) => cell.summary.ttftMeanMs));
    charts['ttft-p99'] = lineChart('Time to first token, 99th percentile', 'load', linesOf(fresh, 'load', (cell) => cell.summary.ttftP99Ms));
  }
  if (new Set(stale.map(({ staleMs }) => staleMs)).size > 1) {
    charts['stale'] = lineChart('Mean time to first token at load 0.8, by the age of telemetry', 'milliseconds', linesOf(stale, 'staleMs', (cell) => cell.summary.ttftMeanMs));
  }
  return charts;
}

function linesOf(cells: readonly CellResult[], x: 'load' | 'staleMs', yMs: (cell: CellResult) => number): Line[] {
  return [...new Set(cells.map(({ policy }) => policy))].map((policy) => ({
    label: policy,
    isOurs: policy === 'meridian',
    points: cells.filter((cell) => cell.policy === policy).map((cell) => ({ x: cell[x], y: yMs(cell) / 1_000 })),
  }));
}
