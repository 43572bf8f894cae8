import { digits, summary } from '../report.js';
import { rows } from './scenarios.js';

/** The value that so many of a hundred do not exceed. */
export function percentile(values, percent) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)];
}

/**
 * A Markdown table with some rows for each backplane: medians (least to most), and in bold what the hub is
 * of the other.
 *
 * @param {readonly import('../report.js').Run[]} runs those of memory have the scenario fan-out alone
 * @param {readonly { name: string, title: string }[]} backplanes
 */
export function table(runs, backplanes) {
  const cells = backplanes.flatMap(({ name, title }) =>
    rowsOf(name).map((row) => {
      const own = runsOf(runs, name, row.scenario);
      return [`${title}: ${row.title}`, ...figures(own, runs, row), row.goal ?? ''];
    }),
  );
  return [['', 'bare client, or memory', 'hub', 'goal'], ['---', '---:', '---:', '---'], ...cells]
    .map((row) => `| ${row.join(' | ')} |`)
    .join('\n');
}

const rowsOf = (name) => rows.filter(({ only = name }) => only === name);

const runsOf = (runs, system, scenario) =>
  runs.filter((run) => run.system === system && run.scenario === scenario);

function figures(own, runs, { scenario, other, hub }) {
  const memory = other === 'memory' ? runsOf(runs, 'memory', scenario) : undefined;
  if ([...own, ...(memory ?? [])].some(({ error }) => error !== undefined)) return ['', 'failed'];
  const reached = summary(own)[hub];
  const compared = memory ? summary(memory)[hub] : other && summary(own)[other];
  if (!compared) return ['', range(reached)];
  return [range(compared), `${range(reached)} **${digits(reached.median / compared.median)}×**`];
}

const range = ({ median: middle, min, max }) => `${digits(middle)} (${digits(min)}–${digits(max)})`;
