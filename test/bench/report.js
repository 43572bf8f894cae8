import { measuredIn } from './tables.js';

/**
 * One run of one scenario against one system; without figures if it failed.
 *
 * @typedef {object} Run
 * @property {string} [table] where there are several
 * @property {string} scenario
 * @property {string} system
 * @property {number} repetition
 * @property {Record<string, number>} [figures]
 * @property {string} [error]
 */

/** @param {readonly number[]} values */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Median, least and most of some values. */
const spread = (values) => ({ median: median(values), min: Math.min(...values), max: Math.max(...values) });

/** Median, least and most of every figure that the runs have. */
export function summary(runs) {
  const names = Object.keys(runs[0]?.figures ?? {});
  return Object.fromEntries(names.map((name) => [name, spread(runs.map(({ figures }) => figures[name]))]));
}

/** Median, least and most of what each system has come to in each scenario. */
export function summariesOf(tables, runs) {
  return tables.flatMap((table) =>
    table.scenarios.flatMap((scenario) =>
      measuredIn(table, scenario).map(({ name: system }) => {
        const own = runs.filter(
          (run) =>
            run.table === table.name &&
            run.scenario === scenario.name &&
            run.system === system &&
            run.figures,
        );
        return { table: table.name, scenario: scenario.name, system, ...summary(own) };
      }),
    ),
  );
}

const figures = {
  cpuPerDelivery: { unit: 'µs', axis: 'CPU time of a delivery: µs', divisor: 1 },
  bytesPerDelivery: { unit: 'bytes', axis: 'bytes of an event', divisor: 1 },
  memoryPerStream: {
    unit: 'KiB each',
    axis: 'memory of each, the garbage being collected: KiB',
    divisor: 1_024,
  },
  cpuPerOpening: { unit: 'µs to open one', axis: 'CPU time to open one: µs', divisor: 1 },
};

/**
 * A figure of a scenario, of all systems that were measured with it.
 *
 * @typedef {object} Row
 * @property {string} scenario
 * @property {string} unit
 * @property {string} axis what the figures are, and their unit
 * @property {readonly Cell[]} cells one for each system of the table
 *
 * @typedef {object} Cell
 * @property {string} system
 * @property {'floor' | 'compared' | 'failed' | 'not measured'} kind
 * @property {Spread} [figure] in the unit of the row
 * @property {Spread} [ratio] to the floor, each to that of the same repetition
 *
 * @typedef {{ median: number, min: number, max: number }} Spread
 */

/**
 * @param {import('./tables.js').Table} table
 * @param {readonly Run[]} runs
 * @returns {Row[]}
 */
export function rowsOf(table, runs) {
  return table.scenarios.flatMap((scenario) => {
    const own = runs.filter((run) => run.table === table.name && run.scenario === scenario.name);
    const names = scenario.idle === undefined ? table.figures : ['memoryPerStream', 'cpuPerOpening'];
    return names.map((name) => ({
      scenario: scenario.name,
      unit: figures[name].unit,
      axis: figures[name].axis,
      cells: table.systems.map(({ name: system }) => cellOf(name, system, own, table, scenario)),
    }));
  });
}

function cellOf(name, system, runs, table, scenario) {
  const floor = scenario.floor ?? table.floor;
  const own = runs.filter((run) => run.system === system);
  if (own.length === 0) return { system, kind: 'not measured' };
  if (own.some(({ error }) => error !== undefined)) return { system, kind: 'failed' };
  const figure = spread(own.map((run) => run.figures[name] / figures[name].divisor));
  if (system === floor) return { system, kind: 'floor', figure };
  const ratios = own.flatMap((run) => {
    const base = runs.find((other) => other.system === floor && other.repetition === run.repetition);
    return base?.figures ? [run.figures[name] / base.figures[name]] : [];
  });
  return { system, kind: 'compared', figure, ...(ratios.length > 0 && { ratio: spread(ratios) }) };
}

/**
 * The rows in Markdown, with a column for each system.
 *
 * @param {import('./tables.js').Table} table
 * @param {readonly Run[]} runs
 * @param {'figures' | 'ratios'} shown of what is compared: both its figure and its ratio, or its ratio only
 * @param {(system: string) => boolean} [isShown]
 */
export function markdownOf(table, runs, shown, isShown = () => true) {
  const names = table.systems.map(({ name }) => name).filter(isShown);
  const rows = rowsOf(table, runs).map(({ scenario, unit, cells }) => [
    `${scenario}: ${unit}`,
    ...cells.filter(({ system }) => isShown(system)).map((cell) => textOf(cell, shown)),
  ]);
  return [['', ...names], ['---', ...names.map(() => '---:')], ...rows]
    .map((row) => `| ${row.join(' | ')} |`)
    .join('\n');
}

function textOf({ kind, figure, ratio }, shown) {
  if (kind === 'failed') return 'failed';
  if (kind === 'not measured') return '';
  if (kind === 'floor' || !ratio) return rangeOf(figure);
  const times = `**${digits(ratio.median)}×**`;
  if (shown === 'figures') return `${rangeOf(figure)} ${times}`;
  return `${times} (${digits(ratio.min)}–${digits(ratio.max)})`;
}

const rangeOf = ({ median, min, max }) => `${digits(median)} (${digits(min)}–${digits(max)})`;

/** Two digits that say something, and no more than are known. */
export function digits(value) {
  if (Math.abs(value) >= 100) return value.toFixed(0);
  return value.toFixed(Math.abs(value) >= 10 ? 1 : 2);
}
