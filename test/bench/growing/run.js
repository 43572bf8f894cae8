import { machine } from '../machine.js';
import { digits, summary } from '../report.js';
import { measurements } from './measurements.js';

/** About half a minute for a repetition. */
const full = { streams: 3_000, beats: 5, channels: 20_000, instances: 50, published: 3_000, idle: 5 };
const quick = { streams: 50, beats: 1, channels: 200, instances: 3, published: 100, idle: 1 };

const titles = {
  cpuBehind0: 'a client comes back that has missed nothing: µs',
  cpuBehind10: 'one that has missed 10 events: µs',
  cpuBehind100: 'one that has missed 100 events: µs',
  cpuPerBeat: 'a heartbeat: µs',
  memoryPerOwn: 'a stream with a channel of its own: bytes',
  kernelPerStream: 'its connection in the kernel: bytes',
  cpuPerOwnOpening: 'opening it: µs',
  cpuPerOwnEvent: 'publishing an event to it, and delivering that: µs',
  memoryPerChannel: 'a channel without streams, with one event: bytes',
  memoryPerEvent: 'each further event: bytes',
  serverPerPublish: 'storing an event, for the server: µs',
  instancePerPublish: 'storing an event, for the instance: µs',
  serverPerInstance: 'telling one more instance, for the server: µs',
  instancePerNotice: 'hearing of an event, for an instance: µs',
  serverPerIdle: 'an instance that does nothing, for the server, in a second: µs',
};

/**
 * What growing costs: connections, reconnects, channels and instances.
 *
 * @param {ReturnType<import('../options.js').readOptions>} options
 * @param {(line: string) => void} log
 */
export async function benchGrowing({ quick: isQuick, reps, seed }, log) {
  const sizes = isQuick ? quick : full;
  const runs = [];
  for (let repetition = 1; repetition <= reps; repetition++)
    for (const [measurement, measured] of Object.entries(measurements)) {
      const run = { measurement, repetition };
      try {
        run.figures = await measured(sizes, seed);
      } catch (error) {
        run.error = error.message;
      }
      runs.push(run);
      log(`${repetition} | ${measurement}: ${run.error ?? JSON.stringify(run.figures)}`);
    }
  const isRight = runs.every(({ error }) => error === undefined);
  return { machine: machine(false), sizes, runs, table: tableOf(runs), isRight };
}

function tableOf(runs) {
  const rows = Object.keys(measurements).flatMap((measurement) => {
    const own = runs.filter((run) => run.measurement === measurement);
    if (own.some(({ error }) => error !== undefined)) return [`| ${measurement} | failed |`];
    return Object.entries(summary(own)).map(
      ([name, { median, min, max }]) =>
        `| ${measurement}: ${titles[name]} | ${digits(median)} (${digits(min)}–${digits(max)}) |`,
    );
  });
  return ['| | median (least–most) |', '| --- | ---: |', ...rows].join('\n');
}
