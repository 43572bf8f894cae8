/** A line of a chart. */
export interface Series {
  readonly title: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

export interface Chart {
  readonly title: string;
  readonly x: { readonly title: string; readonly ticks: readonly number[] };
  readonly y: { readonly title: string; readonly ticks: readonly number[] };
  /** Whether a value holds until the next one, as a count of a second does. */
  readonly isStepped?: boolean;
  readonly series: readonly Series[];
}

const WIDTH = 720;
const HEIGHT = 340;
const AREA = { left: 60, right: 700, top: 80, bottom: 290 };
/** Told apart by people who see colours differently (Okabe and Ito), and by their dashes. */
const STYLES = [
  { colour: '#d55e00', dash: '' },
  { colour: '#0072b2', dash: '' },
  { colour: '#009e73', dash: '7 3' },
  { colour: '#7b5ea7', dash: '2 3' },
];

/** A chart of lines, as text of SVG. */
export function chartOf({ title, x, y, isStepped = false, series }: Chart): string {
  const atX = scale(x.ticks, AREA.left, AREA.right);
  const atY = scale(y.ticks, AREA.bottom, AREA.top);
  const grid = y.ticks.map(
    (tick) =>
      `<path d="M${AREA.left} ${atY(tick)}H${AREA.right}" stroke="#ddd"/>` +
      text(AREA.left - 8, atY(tick) + 4, String(tick), 'end'),
  );
  const marks = x.ticks.map((tick) => text(atX(tick), AREA.bottom + 18, String(tick), 'middle'));
  const lines = series.map(({ title: name, points }, i) => {
    const { colour, dash } = STYLES[i % STYLES.length]!;
    const style = `fill="none" stroke="${colour}" stroke-width="2" stroke-dasharray="${dash}"`;
    const path = `<path d="${pathOf(points, atX, atY, isStepped)}" ${style}/>`;
    if (series.length === 1) return path;
    const [left, line] = [AREA.left + (i % 2) * 320, 44 + Math.floor(i / 2) * 18];
    return `${path}<path d="M${left} ${line - 4}h24" ${style}/>${text(left + 31, line, name, 'start')}`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">`,
    `<title>${escaped(title)}</title>`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`,
    text(AREA.left, 22, `${title}: ${y.title}`, 'start'),
    ...grid,
    ...marks,
    text((AREA.left + AREA.right) / 2, AREA.bottom + 38, x.title, 'middle'),
    ...lines,
    '</svg>',
    '',
  ].join('\n');
}

/** Maps the range of the ticks to pixels. */
function scale(ticks: readonly number[], from: number, to: number): (value: number) => number {
  const [least, most] = [ticks[0]!, ticks.at(-1)!];
  return (value) => round(from + ((value - least) / (most - least)) * (to - from));
}

function pathOf(
  points: Series['points'],
  atX: (value: number) => number,
  atY: (value: number) => number,
  isStepped: boolean,
): string {
  return points
    .map(([x, y], i) => {
      if (i === 0) return `M${atX(x)} ${atY(y)}`;
      return isStepped ? `H${atX(x)}V${atY(y)}` : `L${atX(x)} ${atY(y)}`;
    })
    .join('');
}

const text = (x: number, y: number, content: string, anchor: 'start' | 'middle' | 'end'): string =>
  `<text x="${x}" y="${y}" text-anchor="${anchor}" fill="#222">${escaped(content)}</text>`;

const escaped = (content: string): string => content.replaceAll('&', '&amp;').replaceAll('<', '&lt;');

const round = (value: number): number => Math.round(value * 10) / 10;
