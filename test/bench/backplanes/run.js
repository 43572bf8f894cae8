import { canPin } from '../child.js';
import { machine } from '../machine.js';
import { seededRandom, shuffled } from '../random.js';
import { summary } from '../report.js';
import { measurements } from './measurements.js';
import { table } from './report.js';
import { full, quick } from './scenarios.js';
import { startServer, whatIsMissing } from './servers.js';

const known = [
  { name: 'redis', title: 'Redis' },
  { name: 'nats', title: 'NATS' },
];
const memory = { name: 'memory' };

/**
 * Everything with every backplane whose server can be started, over and over: what disturbs the machine
 * for a while disturbs all alike.
 *
 * @param {ReturnType<import('../options.js').readOptions>} options
 * @param {(line: string) => void} log
 */
export async function benchBackplanes({ quick: isQuick, reps, seed }, log) {
  const sizes = isQuick ? quick : full;
  const missing = known.map(({ name }) => whatIsMissing(name)).filter((reason) => reason !== undefined);
  for (const reason of missing) log(reason);
  const backplanes = [];
  const isPinned = canPin();
  const random = seededRandom(seed);
  const runs = [];
  try {
    for (const backplane of known.filter(({ name }) => whatIsMissing(name) === undefined)) {
      backplanes.push({ ...backplane, server: await startServer(backplane.name) });
    }
    for (let repetition = 1; repetition <= reps; repetition++) {
      for (const [scenario, measured] of Object.entries(measurements)) {
        const all = scenario === 'fan-out' ? [memory, ...backplanes] : backplanes;
        for (const { name, server } of shuffled(all, random)) {
          const run = { system: name, scenario, repetition };
          try {
            run.figures = await measured({ name, address: server?.address }, sizes, { seed, isPinned });
          } catch (error) {
            run.error = error.message;
          }
          runs.push(run);
          log(`${repetition} | ${scenario} | ${name}: ${run.error ?? JSON.stringify(run.figures)}`);
        }
      }
    }
  } finally {
    await Promise.all(backplanes.map(({ server }) => server.stop()));
  }
  return {
    machine: machine(false),
    sizes,
    missing,
    runs,
    summaries: summariesOf(runs, [memory, ...backplanes]),
    table: [`Median (least–most) of ${reps}.`, ...missing.map((reason) => `Left out: ${reason}.`)]
      .concat('', table(runs, backplanes))
      .join('\n'),
    isRight: runs.every(({ error }) => error === undefined),
  };
}

function summariesOf(runs, systems) {
  return systems.flatMap(({ name: system }) =>
    Object.keys(measurements).flatMap((scenario) => {
      const own = runs.filter((run) => run.system === system && run.scenario === scenario && run.figures);
      return own.length > 0 ? [{ scenario, system, ...summary(own) }] : [];
    }),
  );
}
