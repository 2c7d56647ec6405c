/** A group of bars with one scale. */
export interface Panel {
  readonly title: string;
  readonly bars: readonly Bar[];
  /** Longer bars are cut there, and drawn so; their figure still stands beside them. */
  readonly limit: number;
}

export interface Bar {
  readonly label: string;
  readonly value: number;
  /** What is written beside the bar. */
  readonly text: string;
  /** Ours are drawn in another colour. */
  readonly isOurs: boolean;
}

const WIDTH = 860;
const LABEL_WIDTH = 230;
const TEXT_WIDTH = 130;
const BAR_SPACE = WIDTH - LABEL_WIDTH - TEXT_WIDTH;
const LINE_HEIGHT = 26;
const BAR_HEIGHT = 16;
const TITLE_HEIGHT = 44;

/** Horizontal bars, panel below panel, as an SVG document that reads well on light and dark ground. */
export function barChart(panels: readonly Panel[]): string {
  let top = 0;
  const drawn = panels.map((panel) => {
    const group = `<g transform="translate(0 ${top})">${panelBody(panel)}</g>`;
    top += TITLE_HEIGHT + panel.bars.length * LINE_HEIGHT;
    return group;
  });
  const height = top + 16;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" font-family="system-ui, sans-serif" font-size="13">
<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>
${drawn.join('\n')}
</svg>
`;
}

function panelBody(panel: Panel): string {
  const title = `<text x="12" y="28" font-size="15" font-weight="600" fill="#1f2933">${escape(panel.title)}</text>`;
  return title + panel.bars.map((bar, index) => barLine(bar, TITLE_HEIGHT + index * LINE_HEIGHT, panel.limit)).join('');
}

function barLine(bar: Bar, top: number, limit: number): string {
  const width = Math.max(1, BAR_SPACE * Math.min(1, bar.value / limit));
  const base = top + BAR_HEIGHT - 3;
  const label = `<text x="${LABEL_WIDTH - 10}" y="${base}" text-anchor="end" fill="#1f2933">${escape(bar.label)}</text>`;
  const body = `<rect x="${LABEL_WIDTH}" y="${top}" width="${width.toFixed(1)}" height="${BAR_HEIGHT}" rx="2" fill="${bar.isOurs ? '#0b7285' : '#adb5bd'}"/>`;
  const figure = `<text x="${(LABEL_WIDTH + width + 8).toFixed(1)}" y="${base}" fill="#1f2933">${escape(bar.text)}</text>`;
  return label + body + (bar.value > limit ? cut(top) : '') + figure;
}

/** Two slanted white lines near the end of a bar that goes on beyond the picture. */
function cut(top: number): string {
  const x = LABEL_WIDTH + BAR_SPACE - 24;
  const slash = (at: number): string => `M${at} ${top + BAR_HEIGHT + 2}L${at + 8} ${top - 2}`;
  return `<path d="${slash(x)}${slash(x + 7)}" stroke="#ffffff" stroke-width="3"/>`;
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
