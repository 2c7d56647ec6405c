import { goalTable } from '../goal.ts';
import { markdownTable } from '../markdown-table.ts';
import { goalsOf } from './goals.ts';
import type { Figures } from './figures.ts';
import { UNIT_ROW, type Report, type ReportRow } from './report.ts';

const FULL_CORE_SHARE = 0.85;
/** Of the 65 or so reads that a paced stream takes when its tokens come one by one. */
const CLUMPED_READS = 55;

/** The report as a section of Markdown. */
export function reportText(report: Report): string {
  const { machine } = report;
  const lines = [
    `## ${report.date}: relay`,
    '',
    `\`${report.command}\` on ${machine.cores} cores (${machine.cpuModel}), ${machine.memoryGiB} GiB, Node ${machine.node}; medians of ${report.rounds} ${report.rounds === 1 ? 'round' : 'rounds'}. CPU is that of the proxy's processes alone; in brackets the ratio to HAProxy. Added time is against the direct row.`,
    '',
    ...mainTable(report),
    '',
    ...notes(report),
    ...goalTable(goalsOf(report)),
  ];
  return `${lines.join('\n').trimEnd()}\n`;
}

function mainTable(report: Report): string[] {
  const unit = report.rows.find((row) => row.name === UNIT_ROW)?.figures;
  const titles = [
    'row',
    'CPU µs per 1 KB JSON request',
    'CPU µs per 64-token stream, unpaced',
    'CPU µs per 64-token stream, **paced**',
    'JSON added p50 / p99 ms',
    'first token added p50 / p99 ms',
    'KiB per idle stream: resident (heap)',
    'errors',
  ];
  return markdownTable(titles, report.rows.map((row) => [row.title, ...cells(row, unit)]));
}

function cells(row: ReportRow, unit: Figures | undefined): string[] {
  const { figures } = row;
  if (figures === undefined) return [whyNone(row), '', '', '', '', '', ''];
  if (row.name === 'direct') return ['—', '—', '—', '0', '0', '—', String(figures.errors)];
  const heap = Number.isNaN(figures.heapKiBPerIdleStream) ? '' : ` (${figures.heapKiBPerIdleStream.toFixed(1)})`;
  return [
    withRatio(figures.cpuUsPerJson, unit?.cpuUsPerJson),
    withRatio(figures.cpuUsPerFastStream, unit?.cpuUsPerFastStream),
    withRatio(figures.cpuUsPerPacedStream, unit?.cpuUsPerPacedStream),
    `${figures.addedP50Ms.toFixed(2)} / ${figures.addedP99Ms.toFixed(2)}`,
    `${figures.addedFirstTokenP50Ms.toFixed(2)} / ${figures.addedFirstTokenP99Ms.toFixed(2)}`,
    `${figures.residentKiBPerIdleStream.toFixed(1)}${heap}`,
    String(figures.errors),
  ];
}

function whyNone({ missing, failed }: ReportRow): string {
  return missing === undefined ? `**FAILED**: ${failed ?? ''}` : `**MISSING**: ${missing}`;
}

function withRatio(figure: number, unit: number | undefined): string {
  const digits = figure < 100 ? 1 : 0;
  return figure.toFixed(digits) + (unit === undefined ? '' : ` (${(figure / unit).toFixed(2)} ×)`);
}

/** What a reader must know to read the table rightly. */
function notes(report: Report): string[] {
  const found = report.rows.flatMap(({ title, figures, errorSamples = [] }) => {
    if (figures === undefined) return [];
    const said: string[] = [];
    if (figures.nodeCpuUsPerPacedStream > 0) {
      said.push(`${title}: the node daemons, counted apart, used ${figures.nodeCpuUsPerPacedStream.toFixed(0)} µs of CPU per paced stream.`);
    }
    if (figures.pacedCoreShare > FULL_CORE_SHARE) {
      said.push(`${title}: full with 400 paced streams (${figures.pacedCoreShare.toFixed(2)} cores), so that tokens gather; its true cost per stream is higher.`);
    }
    if (figures.readsPerPacedStream < CLUMPED_READS) {
      said.push(`${title}: a paced stream reached the client in ${figures.readsPerPacedStream.toFixed(0)} reads instead of about 65: tokens were kept back and sent in clumps.`);
    }
    return [...said, ...errorSamples.map((sample) => `${title}: wrong answer: ${sample.replaceAll('\n', ' ')}`)];
  });
  return found.length === 0 ? [] : [...found.map((note) => `- ${note}`), ''];
}
