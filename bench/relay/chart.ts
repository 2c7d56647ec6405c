import { barChart, type Panel } from './bar-chart.ts';
import type { Figures } from './figures.ts';
import { UNIT_ROW, type Report } from './report.ts';

/** Bars longer than so many times HAProxy's are cut. */
const LIMIT_RATIO = 5;

/** The CPU columns of a report as a picture. */
export function reportChart(report: Report): string {
  return barChart([
    panel(report, 'CPU µs per 64-token stream, a token every 20 ms, 400 streams at once', (figures) => figures.cpuUsPerPacedStream),
    panel(report, 'CPU µs per 64-token stream, unpaced', (figures) => figures.cpuUsPerFastStream),
    panel(report, 'CPU µs per 1 KB JSON request', (figures) => figures.cpuUsPerJson),
  ]);
}

function panel(report: Report, title: string, pick: (figures: Figures) => number): Panel {
  const rows = report.rows.flatMap(({ name, title: label, figures }) =>
    figures === undefined || name === 'direct' ? [] : [{ name, label, value: pick(figures) }],
  );
  const unit = rows.find((row) => row.name === UNIT_ROW)?.value;
  const limit = unit === undefined ? Math.max(...rows.map((row) => row.value)) : unit * LIMIT_RATIO;
  const bars = rows.map(({ name, label, value }) => ({
    label,
    value,
    text: `${value.toFixed(value < 100 ? 1 : 0)}${unit === undefined ? '' : `  (${(value / unit).toFixed(2)} ×)`}`,
    isOurs: name.startsWith('meridian'),
  }));
  return { title, bars, limit };
}
