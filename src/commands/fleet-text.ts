import type { FleetRecord, FleetSummary } from '../sim/index.ts';

const SLOTS = 60;
const HEIGHTS = ' ▁▂▃▄▅▆▇█';

/** What a simulated run came to, for people: figures, and how they went over time. */
export function fleetText(about: string, summary: FleetSummary, records: readonly FleetRecord[]): string {
  const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;
  const seconds = (timeMs: number): string => `${(timeMs / 1_000).toFixed(2)} s`;
  const rows: readonly (readonly [name: string, value: string])[] = [
    ['requests', `${summary.requests}: ${summary.completed} answered, ${summary.refused} refused, ${summary.failed} failed, ${summary.cut} cut`],
    ['first token', `mean ${seconds(summary.ttftMeanMs)}, p50 ${seconds(summary.ttftP50Ms)}, p90 ${seconds(summary.ttftP90Ms)}, p99 ${seconds(summary.ttftP99Ms)}`],
    ['under 2 s', percent(summary.withinObjective)],
    ['cached', percent(summary.cacheHitRate)],
    ['other region', percent(summary.crossRegionShare)],
    ['output', `${summary.outputTokensPerS.toFixed(0)} tokens/s, goodput ${summary.goodputPerS.toFixed(2)} requests/s`],
  ];
  const lines = rows.map(([name, value]) => `  ${name.padEnd(14)}${value}`);
  return `${about}\n\n${lines.join('\n')}\n\n${timeline(records)}\n`;
}

/** Mean time to first token and answers in time, over the length of the run. */
function timeline(records: readonly FleetRecord[]): string {
  const lastMs = records.at(-1)?.request.arrivalMs ?? 0;
  const slots = Array.from({ length: SLOTS }, () => ({ ttftMs: 0, served: 0, good: 0 }));
  for (const { request, ttftMs, end } of records) {
    const slot = slots[Math.min(SLOTS - 1, Math.floor((request.arrivalMs / Math.max(1, lastMs)) * SLOTS))];
    if (slot === undefined || Number.isNaN(ttftMs)) continue;
    slot.served += 1;
    slot.ttftMs += ttftMs;
    if (end === 'completed') slot.good += 1;
  }
  const means = slots.map(({ ttftMs, served }) => (served === 0 ? 0 : ttftMs / served));
  const answered = slots.map(({ good }) => good);
  const most = (values: readonly number[]): number => Math.max(...values, 1e-9);
  return [
    `  mean first token  ${bars(means, most(means))}  highest ${(most(means) / 1_000).toFixed(2)} s`,
    `  answered          ${bars(answered, most(answered))}  highest ${most(answered)} in ${(lastMs / SLOTS / 1_000).toFixed(0)} s`,
  ].join('\n');
}

function bars(values: readonly number[], most: number): string {
  return values.map((value) => HEIGHTS.charAt(Math.round((value / most) * (HEIGHTS.length - 1)))).join('');
}
