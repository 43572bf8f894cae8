import { setTimeout as sleep } from 'node:timers/promises';
import { canPin, ChildProcess, pin } from '../child.js';
import { machine } from '../machine.js';
import { digits, summary } from '../report.js';

/** Milliseconds after which a process has done what it does after its start, or after streams have come. */
const CALM = 500;
const PATIENCE = 40_000;

/**
 * @typedef {object} Sizes
 * @property {number} streams of the herd
 * @property {number} behind events by which each is behind
 * @property {number} burst events that are published meanwhile
 * @property {number} every milliseconds between two of these
 * @property {number} stalled streams that do not read, when the server is told to end
 * @property {number} bulk bytes that wait for each of those: more than the system takes
 */
const full = { streams: 5_000, behind: 100, burst: 100, every: 10, stalled: 500, bulk: 8 * 1024 * 1024 };
const quick = { streams: 50, behind: 20, burst: 20, every: 5, stalled: 5, bulk: 8 * 1024 * 1024 };

const systems = [
  { name: 'node:http', script: 'herd/bare.js' },
  { name: 'nestjs-sse-hub', script: 'herd/hub.js' },
];

const rows = {
  held: 'the event loop is held, at most: ms',
  keptP50: 'health, on a connection that is there, p50: ms',
  keptP99: 'p99: ms',
  keptMax: 'most: ms',
  freshP50: 'health, on a new connection, p50: ms',
  freshP99: 'p99: ms',
  freshMax: 'most: ms',
  open: 'all streams are open: ms',
  complete: 'all have all events: ms',
  cpu: 'CPU time of the server, for each stream: µs',
  exit: 'SIGTERM to the end of the process: ms',
  sentAway: 'clients that read, and got `retry:`',
};

/**
 * Clients that all come back at once, and a server that is told to end while they are there: during a burst, both.
 *
 * @param {ReturnType<import('../options.js').readOptions>} options
 * @param {(line: string) => void} log
 */
export async function benchHerd({ quick: isQuick, reps, seed }, log) {
  const sizes = isQuick ? quick : full;
  // The core of the clients is this process's too, which sleeps while something is measured.
  const isPinned = canPin() && pin(process.pid, 1);
  const runs = [];
  for (let repetition = 1; repetition <= reps; repetition++)
    for (const { name: system, script } of systems) {
      const run = { system, repetition };
      try {
        run.figures = await herd(script, sizes, seed, isPinned);
      } catch (error) {
        run.error = error.message;
      }
      runs.push(run);
      log(`${repetition} | ${system}: ${run.error ?? JSON.stringify(run.figures)}`);
    }
  const isRight = runs.every(({ error }) => error === undefined);
  return { machine: machine(isPinned), sizes, runs, table: tableOf(runs, sizes), isRight };
}

async function herd(script, sizes, seed, isPinned) {
  const { streams, behind, burst, every, stalled, bulk } = sizes;
  const [serverCore, otherCore] = isPinned ? [0, 1] : [];
  const server = new ChildProcess(script, [String(seed)], serverCore);
  const [client, idler, health] = ['herd/client.js', 'herd/client.js', 'herd/health.js'].map(
    (other) => new ChildProcess(other, [], otherCore),
  );
  try {
    const port = await server.ask('port');
    const lastEventId = await server.ask('fill', { count: behind });
    await health.ask('start', { port, every: 20 });
    await sleep(CALM);
    const before = await server.ask('usage');
    await server.ask('held');

    const joined = client.ask(
      'join',
      { port, count: streams, events: behind + burst, more: burst, lastEventId, patience: PATIENCE },
      2 * PATIENCE,
    );
    await server.ask('publish', { count: behind + burst, every }, PATIENCE);
    const times = await joined;
    const after = await server.ask('usage');
    const figures = { held: await server.ask('held'), ...(await health.ask('stop')), ...times };

    await idler.ask('stall', { port, count: stalled });
    await server.ask('bulk', { bytes: bulk });
    await server.ask('publish', { count: behind + 2 * burst, every });
    // In the middle of the burst.
    await sleep((burst * every) / 2);
    const ended = client.ask('ended', { patience: PATIENCE }, 2 * PATIENCE);
    ended.catch(() => undefined); // looked at when the server has ended
    const began = performance.now();
    const { published } = await server.terminate(PATIENCE);
    const exit = performance.now() - began;
    await ended;
    const { sentAway } = await client.ask('verdict', { seed, events: published }, PATIENCE);
    return { ...figures, cpu: (after.cpu - before.cpu) / streams, exit, sentAway };
  } finally {
    await Promise.all([server, client, idler, health].map((child) => child.kill()));
  }
}

function tableOf(runs, { streams, behind, stalled }) {
  const of = (system) => runs.filter((run) => run.system === system && run.figures);
  const isComplete = ({ name }) => runs.every(({ system, error }) => system !== name || error === undefined);
  const cells = systems.map((system) => (isComplete(system) ? summary(of(system.name)) : {}));
  const cell = (figures, name) => {
    const { median, min, max } = figures[name] ?? {};
    return median === undefined ? 'failed' : `${digits(median)} (${digits(min)}–${digits(max)})`;
  };
  return [
    `| ${streams} clients, ${behind} events behind; then SIGTERM, and ${stalled} more that do not read | ${systems.map(({ name }) => name).join(' | ')} |`,
    `| --- | ${systems.map(() => '---:').join(' | ')} |`,
    ...Object.entries(rows).map(
      ([name, title]) => `| ${title} | ${cells.map((figures) => cell(figures, name)).join(' | ')} |`,
    ),
  ].join('\n');
}
