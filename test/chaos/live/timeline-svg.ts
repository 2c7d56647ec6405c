import type { ClientEnd } from './chaos-load.ts';
import type { ChaosRun } from './chaos-verdict.ts';

const WIDTH = 1_200;
const LEFT = 150;
const RIGHT = 20;
const ROW = 22;
const CHART = 150;
const TOP = 40;
const COLORS: Readonly<Record<ClientEnd, string>> = { whole: '#2e7d32', left: '#9e9e9e', error: '#ef6c00', wrong: '#b71c1c', truncated: '#6a1b9a' };
const FAULT_COLOR = '#c62828';
const REGION_COLOR = '#283593';

/** A run as a picture: a row of faults for each node, and below how the requests of each second ended. */
export function timelineSvg({ nodes, faults, asked }: ChaosRun, durationMs: number): string {
  const x = (ms: number): number => LEFT + (ms / durationMs) * (WIDTH - LEFT - RIGHT);
  const chartTop = TOP + nodes.length * ROW + 30;
  const height = chartTop + CHART + 60;
  const regions = [...new Set(nodes.map(({ region }) => region))];
  const rows = nodes.flatMap(({ id, region }, row) => {
    const y = TOP + row * ROW;
    const here = faults.filter(({ kind, place }) => (kind === 'lose-region' ? regions[place] === region : place === row));
    return [
      text(LEFT - 8, y + 14, id, 'end'),
      rect(LEFT, y + 2, WIDTH - LEFT - RIGHT, ROW - 4, '#f1f3f4'),
      ...here.map(({ kind, fromMs, toMs }) => `<g>${rect(x(fromMs), y + 2, Math.max(2, x(toMs) - x(fromMs)), ROW - 4, kind === 'lose-region' ? REGION_COLOR : FAULT_COLOR)}<title>${kind}</title>${label(x(fromMs), x(toMs), y, kind)}</g>`),
    ];
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" font-family="sans-serif" font-size="11">`,
    rect(0, 0, WIDTH, height, '#ffffff'),
    text(LEFT, 22, 'What was done to each node, and how the requests of each second ended', 'start', 14),
    ...rows,
    ...bars(asked, durationMs, x, chartTop),
    ...axis(durationMs, x, chartTop + CHART),
    ...legend(height - 14),
    '</svg>',
  ].join('\n');
}

function bars(asked: ChaosRun['asked'], durationMs: number, x: (ms: number) => number, top: number): string[] {
  const seconds = Math.ceil(durationMs / 1_000);
  const ends = Object.keys(COLORS) as ClientEnd[];
  const counts = Array.from({ length: seconds }, () => new Map<ClientEnd, number>());
  for (const { end, endedMs } of asked) {
    const second = counts[Math.floor(endedMs / 1_000)];
    second?.set(end, (second.get(end) ?? 0) + 1);
  }
  const most = Math.max(1, ...counts.map((second) => [...second.values()].reduce((sum, count) => sum + count, 0)));
  return counts.flatMap((second, i) => {
    let y = top + CHART;
    return ends.flatMap((end) => {
      const high = ((second.get(end) ?? 0) / most) * CHART;
      y -= high;
      return high === 0 ? [] : [rect(x(i * 1_000), y, Math.max(1, x((i + 1) * 1_000) - x(i * 1_000) - 1), high, COLORS[end])];
    });
  });
}

function axis(durationMs: number, x: (ms: number) => number, y: number): string[] {
  const stepMs = durationMs > 120_000 ? 30_000 : 10_000;
  const ticks = Array.from({ length: Math.floor(durationMs / stepMs) + 1 }, (_, i) => i * stepMs);
  return [`<line x1="${x(0)}" y1="${y}" x2="${x(durationMs)}" y2="${y}" stroke="#333"/>`, ...ticks.map((ms) => text(x(ms), y + 16, `${ms / 1_000} s`, 'middle'))];
}

function legend(y: number): string[] {
  return Object.entries(COLORS).flatMap(([end, color], i) => [rect(LEFT + i * 110, y - 10, 12, 12, color), text(LEFT + 18 + i * 110, y, end, 'start')]);
}

function label(from: number, to: number, y: number, what: string): string {
  return to - from < what.length * 6 ? '' : `<text x="${(from + 4).toFixed(1)}" y="${y + 15}" fill="#ffffff">${what}</text>`;
}

function rect(x: number, y: number, width: number, height: number, color: string): string {
  return `<rect x="${x.toFixed(1)}" y="${y.toFixed(1)}" width="${width.toFixed(1)}" height="${height.toFixed(1)}" fill="${color}"/>`;
}

function text(x: number, y: number, what: string, anchor: 'start' | 'middle' | 'end', size = 11): string {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}" font-size="${size}">${what}</text>`;
}
