import { digits, rowsOf } from './report.js';

const WIDTH = 800;
const MARGIN = 16;
const HEADER = 58;
/** A panel, of which two stand beside each other. */
const PANEL = { width: 374, gap: 20, title: 40, row: 20, axis: 34 };
/** Where in it the bars are: names to the left of them, values to the right. */
const BARS = { left: 112, right: 280, thickness: 12 };
/** At most so many steps of an axis, each a one, two or five with zeros. */
const STEPS = 4;

const style = `
  .card { fill: #ffffff; stroke: #d1d9e0 }
  text { fill: #1f2328; font: 12px system-ui, -apple-system, 'Segoe UI', 'Liberation Sans', Arial, sans-serif }
  .heading { font-size: 16px; font-weight: 600 }
  .title, .own { font-weight: 600 }
  .value { paint-order: stroke; stroke: #ffffff; stroke-width: 4px; stroke-linejoin: round }
  .quiet { fill: #59636e; font-size: 11px }
  .grid { stroke: #d1d9e0 }
  .bar { fill: #b6bfc9 }
  .bar.floor { fill: #848f9b }
  .bar.own { fill: #0969da }
  .range { stroke: #1f2328; stroke-width: 1.5 }
  @media (prefers-color-scheme: dark) {
    .card { fill: #0d1117; stroke: #3d444d }
    text { fill: #f0f6fc }
    .value { stroke: #0d1117 }
    .quiet { fill: #9198a1 }
    .grid { stroke: #3d444d }
    .bar { fill: #4a525d }
    .bar.floor { fill: #7a8490 }
    .bar.own { fill: #4493f8 }
    .range { stroke: #f0f6fc }
  }`;

/**
 * The rows of a table as an SVG picture: a panel of bars for each, with an axis of its own.
 *
 * @param {import('./tables.js').Table} table
 * @param {readonly import('./report.js').Run[]} runs
 * @param {object} options
 * @param {string} options.title
 * @param {string} options.note
 * @param {string} options.own the system that stands out
 * @param {(system: string) => boolean} [options.isShown]
 */
export function chartOf(table, runs, { title, note, own, isShown = () => true }) {
  const rows = rowsOf(table, runs).map((row) => ({
    ...row,
    cells: row.cells.filter((cell) => isShown(cell.system)),
  }));
  const systems = table.systems.filter(({ name }) => isShown(name)).length;
  const panelHeight = PANEL.title + systems * PANEL.row + PANEL.axis;
  const height = HEADER + Math.ceil(rows.length / 2) * panelHeight + MARGIN;
  const panels = rows.map((row, i) => {
    const x = MARGIN + (i % 2) * (PANEL.width + PANEL.gap);
    const y = HEADER + Math.floor(i / 2) * panelHeight;
    return `<g transform="translate(${x} ${y})">\n${panelOf(row, own)}\n</g>`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" role="img">`,
    `<title>${escaped(title)}</title>`,
    `<style>${style}\n</style>`,
    `<rect class="card" x="0.5" y="0.5" width="${WIDTH - 1}" height="${height - 1}" rx="6"/>`,
    text(MARGIN, 26, title, 'heading'),
    text(MARGIN, 45, note, 'quiet'),
    ...panels,
    '</svg>',
    '',
  ].join('\n');
}

function panelOf({ scenario, axis, cells }, own) {
  const known = cells.filter(({ figure }) => figure);
  const { ticks, end } = axisOf(Math.max(...known.map(({ figure }) => figure.max)));
  const at = (value) => round(BARS.left + (value / end) * (BARS.right - BARS.left));
  const bottom = PANEL.title + cells.length * PANEL.row;
  return [
    text(0, 16, scenario, 'title'),
    text(0, 31, axis, 'quiet'),
    ...ticks.map(
      (tick) =>
        `<path class="grid" d="M${at(tick)} ${PANEL.title}V${bottom}"/>` +
        text(at(tick), bottom + 14, String(tick), 'quiet', 'middle'),
    ),
    ...cells.map((cell, i) => barOf(cell, PANEL.title + i * PANEL.row, at, cell.system === own)),
  ].join('\n');
}

function barOf({ system, kind, figure, ratio }, top, at, isOwn) {
  const style = isOwn ? 'own' : kind;
  const line = top + 14;
  const name = text(BARS.left - 8, line, system, style, 'end');
  if (!figure) return name + text(BARS.left + 6, line, kind, 'quiet');
  const middle = top + PANEL.row / 2;
  const width = round(at(figure.median) - BARS.left);
  const value = digits(figure.median) + (ratio ? ` · ${digits(ratio.median)}×` : '');
  return [
    name,
    `<rect class="bar ${style}" x="${BARS.left}" y="${middle - BARS.thickness / 2}" width="${width}" height="${BARS.thickness}"/>`,
    `<path class="range" d="M${at(figure.min)} ${middle}H${at(figure.max)}"/>`,
    text(at(figure.max) + 6, line, value, `value ${style}`),
  ].join('');
}

/** The ticks from 0 on, and the value at the end of an axis that has room for `most`. */
function axisOf(most) {
  const power = 10 ** Math.floor(Math.log10(most / STEPS));
  const step = [1, 2, 5, 10].map((digit) => digit * power).find((size) => most / size <= STEPS);
  const ticks = Array.from({ length: Math.floor(most / step) + 1 }, (_, i) =>
    Number((i * step).toPrecision(3)),
  );
  return { ticks, end: most };
}

const text = (x, y, content, style, anchor = 'start') =>
  `<text class="${style}" x="${x}" y="${y}" text-anchor="${anchor}">${escaped(content)}</text>`;

const escaped = (content) => content.replaceAll('&', '&amp;').replaceAll('<', '&lt;');

const round = (value) => Math.round(value * 10) / 10;
