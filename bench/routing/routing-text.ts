import { goalTable } from '../goal.ts';
import { markdownTable } from '../markdown-table.ts';
import type { CellResult } from './cell.ts';
import { goalsOf } from './goals.ts';
import { POLICIES } from './policies/index.ts';
import type { ScenarioResult } from './scenarios.ts';

/** Results as sections of Markdown: a table for each load and telemetry delay, and the goals. */
export function routingText(results: readonly CellResult[], scenarios: readonly ScenarioResult[]): string {
  const groups = new Map<string, CellResult[]>();
  for (const result of results) {
    const title = `load ${result.load}, telemetry ${result.staleMs === 0 ? 'as it comes' : `${result.staleMs / 1_000} s late`}`;
    groups.set(title, [...(groups.get(title) ?? []), result]);
  }
  const tables = [...groups].flatMap(([title, cells]) => [`### ${title}`, '', ...markdownTable(TITLES, cells.map(row)), '']);
  const goals = [...goalsOf(results), ...scenarios.flatMap((scenario) => scenario.goals)];
  return [...tables, ...goalTable(goals), ''].join('\n');
}

/** What each policy is. */
export function policiesText(): string {
  return POLICIES.map(({ name, about }) => `- ${name}: ${about}`).join('\n');
}

const TITLES = ['policy', 'TTFT mean', 'p50', 'p90', 'p99', 'under 2 s', 'cached', 'away', '429', 'failed', 'output tok/s', 'goodput /s'];

function row({ policy, summary }: CellResult): string[] {
  const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;
  return [
    policy === 'meridian' ? '**meridian**' : policy,
    seconds(summary.ttftMeanMs),
    seconds(summary.ttftP50Ms),
    seconds(summary.ttftP90Ms),
    seconds(summary.ttftP99Ms),
    percent(summary.withinObjective),
    percent(summary.cacheHitRate),
    percent(summary.crossRegionShare),
    String(summary.refused),
    String(summary.failed + summary.cut),
    summary.outputTokensPerS.toFixed(0),
    summary.goodputPerS.toFixed(2),
  ];
}

function seconds(timeMs: number): string {
  return `${(timeMs / 1_000).toFixed(2)} s`;
}
