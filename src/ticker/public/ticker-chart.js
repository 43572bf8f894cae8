import uPlot from '/vendor/uplot/uPlot.esm.js';

/** Width of the chart in seconds: the history of the channels. */
const WINDOW = 30;

/** Longest gap in seconds that a line bridges; quotes come four times a second. */
const LONGEST_STEP = 1;

/** The last quotes of some symbols as lines. */
export class QuoteChart {
  #element;
  #symbols;
  #plot;
  #plotted = '';
  #isDue = false;
  #latest = 0;
  /** Prices by time, for each symbol. A duplicate quote changes nothing. */
  #prices = new Map();

  /** @param symbols the shown symbols and their colours */
  constructor(element, symbols) {
    this.#element = element;
    this.#symbols = symbols;
    new ResizeObserver(() => this.#plot?.setSize(this.#size())).observe(element);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
      this.#plotted = '';
      this.draw();
    });
  }

  add({ symbol, price, at }) {
    const time = Date.parse(at) / 1000;
    this.#latest = Math.max(this.#latest, time);
    if (!this.#prices.has(symbol)) this.#prices.set(symbol, new Map());
    this.#prices.get(symbol).set(time, price);
    this.draw();
  }

  /** Draws in the next frame, once for all changes until then. */
  draw() {
    if (this.#isDue) return;
    this.#isDue = true;
    requestAnimationFrame(() => {
      this.#isDue = false;
      this.#draw();
    });
  }

  #draw() {
    const shown = [...this.#prices.keys()].filter((symbol) => this.#symbols.isShown(symbol));
    const data = shown.length === 0 ? [[]] : uPlot.join(shown.map((symbol) => this.#tableOf(symbol)));
    if (this.#plotted === shown.join()) {
      this.#plot.setData(data);
      return;
    }
    this.#plotted = shown.join();
    this.#plot?.destroy();
    this.#plot = new uPlot(this.#options(shown), data, this.#element);
  }

  /** The quotes in the window, in order. Older ones are deleted. */
  #tableOf(symbol) {
    const prices = this.#prices.get(symbol);
    for (const time of prices.keys()) if (time < this.#latest - WINDOW) prices.delete(time);
    const times = [];
    const values = [];
    for (const time of [...prices.keys()].sort((a, b) => a - b)) {
      // No line where nothing was quoted: the server stops when nobody listens.
      if (time - times.at(-1) > LONGEST_STEP) {
        times.push(time - LONGEST_STEP / 2);
        values.push(null);
      }
      times.push(time);
      values.push(prices.get(time));
    }
    return [times, values];
  }

  #size() {
    const { clientWidth: width, clientHeight: height } = this.#element;
    return { width, height };
  }

  #options(symbols) {
    const { color, borderTopColor: line, fontFamily } = getComputedStyle(this.#element);
    const axis = {
      stroke: color,
      font: `12px ${fontFamily}`,
      grid: { stroke: line, width: 1 },
      ticks: { show: false },
    };
    return {
      ...this.#size(),
      padding: [12, 12, 0, 0],
      legend: { show: false },
      cursor: { show: false },
      scales: { x: { range: () => [this.#latest - WINDOW, this.#latest] } },
      axes: [
        { ...axis, size: 28, space: 90, values: (_, times) => times.map(formatTime) },
        { ...axis, size: 44, values: (_, prices) => prices.map((price) => price.toFixed(0)) },
      ],
      series: [
        {},
        ...symbols.map((symbol) => ({
          label: symbol,
          stroke: this.#symbols.colorOf(symbol),
          width: 2,
          points: { show: false },
        })),
      ],
    };
  }
}

function formatTime(seconds) {
  return new Date(seconds * 1000).toLocaleTimeString([], { minute: '2-digit', second: '2-digit' });
}
