import { machine } from './machine.js';
import { measure } from './measure.js';
import { seededRandom, shuffled } from './random.js';
import { summary, table } from './report.js';

/**
 * Every scenario against every system, over and over: what disturbs the machine for a while disturbs
 * all systems alike.
 *
 * @param {object} options
 * @param {readonly { name: string, script: string, args?: readonly string[] }[]} options.systems
 * @param {readonly import('./systems.js').Scenario[]} options.scenarios
 * @param {number} options.reps
 * @param {number} options.seed
 * @param {boolean} options.isPinned whether server and client each have a core of their own
 * @param {(line: string) => void} log
 */
export async function benchNetwork({ systems, scenarios, reps, seed, isPinned }, log) {
  const random = seededRandom(seed);
  const runs = [];
  for (let repetition = 1; repetition <= reps; repetition++) {
    for (const scenario of scenarios) {
      for (const system of shuffled(systems, random)) {
        const run = { system: system.name, scenario: scenario.name, repetition };
        try {
          run.figures = await measure(system, scenario, { seed, isPinned });
        } catch (error) {
          run.error = error.message;
        }
        runs.push(run);
        log(`${repetition} | ${scenario.name} | ${system.name}: ${run.error ?? JSON.stringify(run.figures)}`);
      }
    }
  }
  return {
    machine: machine(isPinned),
    scenarios,
    runs,
    summaries: summariesOf(runs, systems, scenarios),
    table: `CPU time of the server per delivered event, but where it says otherwise; median (least–most) of ${reps}.

${table(runs, systems, scenarios)}`,
    isRight: runs.every(({ error }) => error === undefined),
  };
}

function summariesOf(runs, systems, scenarios) {
  return scenarios.flatMap(({ name: scenario }) =>
    systems.map(({ name: system }) => {
      const own = runs.filter((run) => run.system === system && run.scenario === scenario && run.figures);
      return { scenario, system, ...summary(own) };
    }),
  );
}
