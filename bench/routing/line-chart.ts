/** One line: its points from left to right. */
export interface Line {
  readonly label: string;
  readonly points: readonly { readonly x: number; readonly y: number }[];
  /** Ours is drawn in another colour, and on top. */
  readonly isOurs: boolean;
}

const SIZE = { width: 860, height: 420 };
const MARGIN = { left: 70, right: 190, top: 48, bottom: 48 };
const GREYS = ['#868e96', '#495057', '#adb5bd'];
const DASHES = ['', '6 3', '2 3', '10 3 2 3'];
const OURS = '#0b7285';

/** Lines over a logarithmic height, as an SVG document that reads well on light and dark ground. */
export function lineChart(title: string, xTitle: string, lines: readonly Line[]): string {
  const points = lines.flatMap((line) => line.points).filter(({ y }) => y > 0);
  const xs = [...new Set(points.map(({ x }) => x))].sort((a, b) => a - b);
  const [lowX = 0, highX = 1] = [xs[0], xs.at(-1)];
  const lowY = Math.floor(Math.log10(Math.min(...points.map(({ y }) => y))));
  const highY = Math.ceil(Math.log10(Math.max(...points.map(({ y }) => y)) + 1e-9));
  const innerWidth = SIZE.width - MARGIN.left - MARGIN.right;
  const innerHeight = SIZE.height - MARGIN.top - MARGIN.bottom;
  const left = (x: number): number => MARGIN.left + (highX === lowX ? innerWidth / 2 : ((x - lowX) / (highX - lowX)) * innerWidth);
  const top = (y: number): number => MARGIN.top + innerHeight - ((Math.log10(y) - lowY) / Math.max(1, highY - lowY)) * innerHeight;
  const ticks = Array.from({ length: highY - lowY + 1 }, (_, i) => 10 ** (lowY + i));
  const grid = ticks.map((y) => `<path d="M${MARGIN.left} ${top(y).toFixed(1)}H${SIZE.width - MARGIN.right}" stroke="#e9ecef"/>${text(MARGIN.left - 8, top(y) + 4, `${y} s`, 'end')}`);
  const marks = xs.map((x) => text(left(x), SIZE.height - MARGIN.bottom + 20, String(x), 'middle'));
  const ordered = [...lines].sort((a, b) => Number(a.isOurs) - Number(b.isOurs));
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${SIZE.width} ${SIZE.height}" width="${SIZE.width}" height="${SIZE.height}" font-family="system-ui, sans-serif" font-size="12">
<rect width="${SIZE.width}" height="${SIZE.height}" fill="#ffffff"/>
<text x="12" y="26" font-size="15" font-weight="600" fill="#1f2933">${escape(title)}</text>
${[...grid, ...marks, text(MARGIN.left + innerWidth / 2, SIZE.height - 10, xTitle, 'middle')].join('\n')}
${ordered.map((line, i) => drawn(line, i, left, top)).join('\n')}
${labels(ordered, top).join('\n')}
</svg>
`;
}

function drawn({ points, isOurs }: Line, index: number, left: (x: number) => number, top: (y: number) => number): string {
  const path = points.filter(({ y }) => y > 0).map(({ x, y }, i) => `${i === 0 ? 'M' : 'L'}${left(x).toFixed(1)} ${top(y).toFixed(1)}`);
  const dash = isOurs ? '' : ` stroke-dasharray="${DASHES[index % DASHES.length] ?? ''}"`;
  return `<path d="${path.join('')}" fill="none" stroke="${colour(index, isOurs)}" stroke-width="${isOurs ? 3.5 : 1.5}"${dash}/>`;
}

const LABEL_HEIGHT = 15;

/** Beside the end of each line, moved apart where they would overlap. */
function labels(lines: readonly Line[], top: (y: number) => number): string[] {
  const placed = lines
    .map((line, index) => ({ line, index, at: top(Math.max(1e-3, line.points.at(-1)?.y ?? 1)) }))
    .sort((a, b) => a.at - b.at);
  let last = -Infinity;
  return placed.map(({ line, index, at }) => {
    last = Math.max(at, last + LABEL_HEIGHT);
    const weight = line.isOurs ? ' font-weight="700"' : '';
    return `<text x="${SIZE.width - MARGIN.right + 8}" y="${(last + 4).toFixed(1)}" fill="${colour(index, line.isOurs)}"${weight}>${escape(line.label)}</text>`;
  });
}

function colour(index: number, isOurs: boolean): string {
  return isOurs ? OURS : (GREYS[index % GREYS.length] ?? '#868e96');
}

function text(x: number, y: number, content: string, anchor: string): string {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}" fill="#495057">${escape(content)}</text>`;
}

function escape(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
