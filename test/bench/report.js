/**
 * One run of one scenario against one system; without figures if it failed.
 *
 * @typedef {object} Run
 * @property {string} system
 * @property {string} scenario
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

/** Median, least and most of every figure that the runs have. */
export function summary(runs) {
  const names = Object.keys(runs[0]?.figures ?? {});
  return Object.fromEntries(
    names.map((name) => {
      const values = runs.map(({ figures }) => figures[name]);
      return [name, { median: median(values), min: Math.min(...values), max: Math.max(...values) }];
    }),
  );
}

/** The columns: a figure of a scenario, each. */
const columnsOf = (scenarios) =>
  scenarios.flatMap(({ name, streams, idle }) =>
    idle === undefined
      ? [{ scenario: name, figure: 'cpuPerDelivery', title: `${streams} clients, ${name}: µs`, unit: 1 }]
      : [
          { scenario: name, figure: 'memoryPerStream', title: `${streams} idle: KiB per stream`, unit: 1024 },
          { scenario: name, figure: 'cpuPerOpening', title: 'opening one: µs', unit: 1 },
        ],
  );

/**
 * A Markdown table with a row for each system: medians (least to most), and in bold how many times the floor that is.
 *
 * @param {readonly Run[]} runs
 * @param {readonly { name: string }[]} systems the first is the floor
 * @param {readonly import('./systems.js').Scenario[]} scenarios
 */
export function table(runs, systems, scenarios) {
  const columns = columnsOf(scenarios);
  const rows = systems.map(({ name }) => [
    name,
    ...columns.map((column) => cell(runs, name, systems[0].name, column)),
  ]);
  return [['', ...columns.map(({ title }) => title)], ['---', ...columns.map(() => '---:')], ...rows]
    .map((row) => `| ${row.join(' | ')} |`)
    .join('\n');
}

function cell(runs, system, floor, { scenario, figure, unit }) {
  const of = (name) => runs.filter((run) => run.system === name && run.scenario === scenario);
  if (of(system).some(({ error }) => error !== undefined)) return 'failed';
  const own = summary(of(system))[figure];
  if (!own) return '';
  const base = summary(of(floor).filter(({ figures }) => figures))[figure];
  const [middle, min, max] = [own.median, own.min, own.max].map((value) => digits(value / unit));
  const ratio = base && system !== floor ? ` **${digits(own.median / base.median)}×**` : '';
  return `${middle} (${min}–${max})${ratio}`;
}

/** Two digits that say something, and no more than are known. */
export function digits(value) {
  if (Math.abs(value) >= 100) return value.toFixed(0);
  return value.toFixed(Math.abs(value) >= 10 ? 1 : 2);
}
