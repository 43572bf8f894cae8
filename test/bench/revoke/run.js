import { ChildProcess } from '../child.js';
import { machine } from '../machine.js';
import { digits, summary } from '../report.js';

const USER = 'ann';
/** How many streams are taken a channel, of how many; what is left belongs to somebody else. */
const full = { streams: 5_000, others: 1_000 };
const quick = { streams: 100, others: 20 };

const rows = {
  here: 'hub.revoke() has resolved: ms',
  told: 'the last stream was told, on its socket: ms',
  cpu: 'CPU time of the server, for each stream: µs',
};

/**
 * How long it takes until a channel is taken away from all streams of a user, from the call to the event that
 * the last client gets.
 *
 * @param {ReturnType<import('../options.js').readOptions>} options
 * @param {(line: string) => void} log
 */
export async function benchRevoke({ quick: isQuick, reps }, log) {
  const sizes = isQuick ? quick : full;
  const runs = [];
  for (let repetition = 1; repetition <= reps; repetition++) {
    const run = { repetition };
    try {
      run.figures = await revoked(sizes);
    } catch (error) {
      run.error = error.message;
    }
    runs.push(run);
    log(`${repetition} | revoke: ${run.error ?? JSON.stringify(run.figures)}`);
  }
  const isRight = runs.every(({ error }) => error === undefined);
  return { machine: machine(false), sizes, runs, table: tableOf(runs, sizes, isRight), isRight };
}

async function revoked({ streams, others }) {
  const server = new ChildProcess('revoke/server.js', []);
  const clients = [new ChildProcess('revoke/client.js', []), new ChildProcess('revoke/client.js', [])];
  const [own, other] = clients;
  try {
    const port = await server.ask('port');
    await own.ask('open', { port, user: USER, streams });
    await other.ask('open', { port, user: 'bob', streams: others });
    await expectSubscribers(server, streams + others);
    const before = await server.ask('usage');
    const told = own.ask('told', { streams });
    const began = performance.timeOrigin + performance.now();
    const { revoked: count, took } = await server.ask('revoke', { user: USER });
    const last = await told;
    const after = await server.ask('usage');
    if (count !== streams) throw new Error(`${count} of ${streams} streams were revoked`);
    await expectSubscribers(server, others);
    return { here: took, told: last - began, cpu: (after.cpu - before.cpu) / streams };
  } finally {
    await Promise.all([server, ...clients].map((child) => child.kill()));
  }
}

async function expectSubscribers(server, expected) {
  const there = await server.ask('subscribers');
  if (there !== expected) throw new Error(`${there} streams have the channel, not ${expected}`);
}

function tableOf(runs, { streams, others }, isRight) {
  const figures = isRight ? summary(runs) : {};
  const cells = Object.entries(rows).map(([name, title]) => {
    const { median, min, max } = figures[name] ?? {};
    return `| ${title} | ${isRight ? `${digits(median)} (${digits(min)}–${digits(max)})` : 'failed'} |`;
  });
  return [
    `| ${streams} streams of a user are revoked, of ${streams + others} | |`,
    '| --- | ---: |',
    ...cells,
  ].join('\n');
}
