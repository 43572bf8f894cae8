import { canPin, pin } from '../child.js';
import { machine } from '../machine.js';
import { measure } from '../measure.js';
import { seededRandom, shuffled } from '../random.js';
import { digits, summary } from '../report.js';

// One event at a time: events that wait for each other are written together, which costs less.
const full = { streams: 5_000, perTurn: 1, turns: 1, rounds: 60, warmUp: 20, calm: 250 };
const quick = { streams: 50, perTurn: 1, turns: 1, rounds: 10, warmUp: 1, calm: 10 };

const systems = [
  { name: 'no inspector', args: ['off'] },
  { name: 'the inspector, and nobody looks', args: ['unwatched'] },
  { name: 'its page is open, with figures, tail and list', args: ['open'] },
].map((system) => ({ ...system, script: 'inspector/server.js' }));

/**
 * What the inspector costs a delivery, in CPU time of the server. The systems take turns.
 *
 * @param {ReturnType<import('../options.js').readOptions>} options
 * @param {(line: string) => void} log
 */
export async function benchInspector({ quick: isQuick, reps, seed }, log) {
  const scenario = isQuick ? quick : full;
  // The client's core is this process's too, which sleeps while something is measured.
  const isPinned = canPin() && pin(process.pid, 1);
  const random = seededRandom(seed);
  const runs = [];
  for (let repetition = 1; repetition <= reps; repetition++) {
    for (const system of shuffled(systems, random)) {
      const run = { system: system.name, repetition };
      try {
        run.figures = await measure(system, scenario, { seed, isPinned });
      } catch (error) {
        run.error = error.message;
      }
      runs.push(run);
      log(`${repetition} | ${system.name}: ${run.error ?? JSON.stringify(run.figures)}`);
    }
  }
  const isRight = runs.every(({ error }) => error === undefined);
  return { machine: machine(isPinned), scenario, runs, table: tableOf(runs, scenario), isRight };
}

function tableOf(runs, { streams }) {
  const figureOf = (name) => {
    const own = runs.filter(({ system }) => system === name);
    return own.some(({ error }) => error !== undefined) ? undefined : summary(own).cpuPerDelivery;
  };
  const base = figureOf(systems[0].name);
  const cells = systems.map(({ name }) => {
    const own = figureOf(name);
    if (!own) return `| ${name} | failed |`;
    const ratio = base && name !== systems[0].name ? ` **${(own.median / base.median).toFixed(2)}×**` : '';
    return `| ${name} | ${digits(own.median)} (${digits(own.min)}–${digits(own.max)})${ratio} |`;
  });
  return [`| ${streams} streams: CPU time of a delivery | µs |`, '| --- | ---: |', ...cells].join('\n');
}
