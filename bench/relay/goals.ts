import type { Goal } from '../goal.ts';
import type { Report } from './report.ts';

/** The goals for those Meridian rows that ran, where what they are compared with ran too. */
export function goalsOf(report: Report): Goal[] {
  const of = (name: string) => report.rows.find((row) => row.name === name)?.figures;
  const links = of('meridian-links');
  const pools = of('meridian-pools');
  const haproxy = of('haproxy');
  const portkey = of('portkey');
  const goals = [
    atMost('JSON request through links, CPU against HAProxy', 4, '×', links?.cpuUsPerJson, haproxy?.cpuUsPerJson),
    atMost('paced stream through links, CPU against HAProxy', 1, '×', links?.cpuUsPerPacedStream, haproxy?.cpuUsPerPacedStream),
    atMost('paced stream through pools, CPU against HAProxy', 2.5, '×', pools?.cpuUsPerPacedStream, haproxy?.cpuUsPerPacedStream),
    atMost('JSON request through links, CPU against Portkey', 0.1, '×', links?.cpuUsPerJson, portkey?.cpuUsPerJson),
    atMost('paced stream through links, CPU against Portkey', 0.1, '×', links?.cpuUsPerPacedStream, portkey?.cpuUsPerPacedStream),
    atMost('resident memory per idle stream, links', 40, ' KiB', links?.residentKiBPerIdleStream, 1),
    atMost('resident memory per idle stream, pools', 40, ' KiB', pools?.residentKiBPerIdleStream, 1),
    atMost('added time of a JSON request through links, p50', 0.5, ' ms', links?.addedP50Ms, 1),
  ];
  return goals.filter((goal) => goal !== undefined);
}

function atMost(what: string, bound: number, unit: string, figure: number | undefined, unitFigure: number | undefined): Goal | undefined {
  if (figure === undefined || unitFigure === undefined) return undefined;
  const value = figure / unitFigure;
  return { what, bound: `≤ ${bound}${unit}`, reached: `${value.toFixed(2)}${unit}`, isMet: value <= bound };
}
