import uPlot from 'uplot';
import { h } from './dom.js';
import { time } from './format.js';

/** Seconds that a plot shows. */
const SECONDS = 120;

export interface Line {
  readonly name: string;
  /** The name of a colour of the page. */
  readonly colour: 'accent' | 'second' | 'warn' | 'error';
}

/** A colour of the page as a canvas understands it, which knows no `light-dark()`. */
function colourOf(name: string): string {
  const probe = h('i', { class: `colour-${name}` });
  document.body.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}

/** The last minutes of some figures, as lines, with the newest as text. */
export class Plot {
  readonly element: HTMLElement;
  readonly #value: HTMLElement;
  readonly #place: HTMLElement;
  readonly #data: (number | null)[][];
  #plot: uPlot | undefined;

  constructor(
    title: string,
    private readonly lines: readonly Line[],
    private readonly show: (values: readonly (number | null)[]) => string,
    signal: AbortSignal,
  ) {
    this.#value = h('output', { class: 'figure' }, '–');
    this.#place = h('div', { class: 'plot', role: 'img', 'aria-label': `${title}: the last two minutes` });
    this.element = h('figure', { class: 'card' }, h('figcaption', {}, title), this.#value, this.#place);
    this.#data = [[], ...lines.map(() => [])];
    const resized = new ResizeObserver(() => this.#size());
    resized.observe(this.#place);
    const scheme = matchMedia('(prefers-color-scheme: dark)');
    scheme.addEventListener('change', () => this.#redraw(), { signal });
    signal.addEventListener('abort', () => {
      resized.disconnect();
      this.#plot?.destroy();
    });
  }

  add(at: number, values: readonly (number | null)[]): void {
    this.#value.textContent = this.show(values);
    [at / 1_000, ...values].forEach((value, i) => {
      const row = this.#data[i] as (number | null)[];
      row.push(value);
      if (row.length > SECONDS) row.shift();
    });
    this.#plot?.setData(this.#data as uPlot.AlignedData);
  }

  #size(): void {
    const width = Math.floor(this.#place.clientWidth);
    if (width === 0) return;
    if (this.#plot) this.#plot.setSize({ width, height: 110 });
    else this.#plot = this.#made(width);
  }

  #redraw(): void {
    this.#plot?.destroy();
    this.#plot = this.#made(this.#place.clientWidth);
  }

  #made(width: number): uPlot {
    const soft = colourOf('soft');
    const grid = { stroke: colourOf('line'), width: 1 };
    const axis = { stroke: soft, grid, ticks: { show: false }, font: '11px system-ui' };
    return new uPlot(
      {
        ...{ width, height: 110, legend: { show: false }, cursor: { show: false } },
        scales: { y: { range: (_, __, max) => [0, Math.max(1, max * 1.1)] } },
        axes: [
          { ...axis, space: 80, size: 24, values: (_, seconds) => seconds.map((one) => time(one * 1_000)) },
          { ...axis, size: 48, space: 24 },
        ],
        series: [
          {},
          ...this.lines.map(({ name, colour }) => ({
            label: name,
            stroke: colourOf(colour),
            width: 1.5,
            points: { show: false },
          })),
        ],
      },
      this.#data as uPlot.AlignedData,
      this.#place,
    );
  }
}
