import { createRequire } from 'node:module';
import { machine } from './machine.js';
import { measure } from './measure.js';
import { seededRandom, shuffled } from './random.js';
import { markdownOf, summariesOf } from './report.js';
import { measuredIn } from './tables.js';

const { resolve } = createRequire(import.meta.url);

/**
 * Every scenario against every system, over and over: what disturbs the machine for a while disturbs
 * all systems alike.
 *
 * @param {object} options
 * @param {readonly import('./tables.js').Table[]} options.tables
 * @param {number} options.reps
 * @param {number} options.seed
 * @param {boolean} options.isPinned whether server and client each have a core of their own
 * @param {(line: string) => void} log
 */
export async function benchNetwork({ tables: all, reps, seed, isPinned }, log) {
  const { tables, missing } = installed(all);
  const random = seededRandom(seed);
  const runs = [];
  for (let repetition = 1; repetition <= reps; repetition++) {
    for (const table of tables) {
      for (const scenario of table.scenarios) {
        for (const system of shuffled(measuredIn(table, scenario), random)) {
          const run = { table: table.name, scenario: scenario.name, system: system.name, repetition };
          try {
            run.figures = await measure(system, scenario, { seed, isPinned });
          } catch (error) {
            run.error = error.message;
          }
          runs.push(run);
          log(
            `${repetition} | ${scenario.name} | ${system.name}: ${run.error ?? JSON.stringify(run.figures)}`,
          );
        }
      }
    }
  }
  return {
    machine: machine(isPinned),
    tables,
    missing,
    runs,
    summaries: summariesOf(tables, runs),
    table: [
      ...tables.map((table) => markdownOf(table, runs, 'figures')),
      `Median (least–most) of ${reps}; in bold how many times the figure of the row without one.`,
      ...missing.map((name) => `Left out: ${name} is not installed. \`npm install --no-save ${name}\``),
    ].join('\n\n'),
    isRight: runs.every(({ error }) => error === undefined),
  };
}

/** The tables without the systems whose packages are not there, and the names of these packages. */
function installed(tables) {
  const missing = new Set();
  const isThere = ({ needs }) => {
    if (needs === undefined || isInstalled(needs)) return true;
    missing.add(needs);
    return false;
  };
  return {
    tables: tables.map((table) => ({ ...table, systems: table.systems.filter(isThere) })),
    missing: [...missing],
  };
}

function isInstalled(name) {
  try {
    resolve(name);
    return true;
  } catch ({ code }) {
    // What has no entry for `require()` is there as well.
    return code === 'ERR_PACKAGE_PATH_NOT_EXPORTED';
  }
}
