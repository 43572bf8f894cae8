import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';
import { expect, it } from '@jest/globals';
import { whenTestEnds } from '../../support/clean-up.js';
import { until } from '../../support/until.js';

interface Figures {
  readonly heap: number;
  readonly resources: Readonly<Record<string, number>>;
  readonly stats: Readonly<Record<string, number>>;
  readonly objects: Readonly<Record<string, number>>;
}

const ROUNDS = 10_000;
const AT_ONCE = 100;
/** Bytes for what is compiled and cached meanwhile: less than a seventh of a kilobyte for each stream that was. */
const ALLOWED_GROWTH = 1.4 * 1024 * 1024;

async function startServer(): Promise<{ server: ChildProcess; port: number }> {
  const server = fork(fileURLToPath(new URL('./soak-server.js', import.meta.url)), {
    execArgv: ['--expose-gc', '--disable-warning=ExperimentalWarning'],
  });
  whenTestEnds(() => server.kill('SIGKILL'));
  const [{ port }] = (await once(server, 'message')) as [{ port: number }];
  return { server, port };
}

async function figuresOf(server: ChildProcess): Promise<Figures> {
  server.send('figures');
  const [figures] = (await once(server, 'message')) as [Figures];
  return figures;
}

/** Connects and leaves: most when their stream has begun, some while it is being decided, some denied. */
function visit(port: number, number: number): Promise<void> {
  const path = number % 10 === 0 ? '/denied' : '/events';
  const expected = number % 10 === 0 ? ' 403 ' : number % 10 === 1 ? '' : 'retry: ';
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    let text = '';
    const look = (): void => {
      if (!text.includes(expected)) return;
      if (number % 2) socket.resetAndDestroy();
      else socket.destroy();
      resolve();
    };
    socket.on('data', (bytes) => {
      text += bytes.toString('latin1');
      look();
    });
    socket.on('error', reject);
    socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`, () => {
      if (expected === '') look();
    });
  });
}

async function visitAll(port: number, count: number): Promise<void> {
  let next = 0;
  const goOn = async (): Promise<void> => {
    while (next < count) await visit(port, next++);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, goOn));
}

/** What a server has when all have left, which it notices a moment later. */
async function figuresAtRest(server: ChildProcess): Promise<Figures> {
  let figures: Figures | undefined;
  await until('nobody is there', async () => {
    figures = await figuresOf(server);
    return (
      figures.stats.connections === 0 && figures.stats.channels === 0 && !figures.resources.TCPSocketWrap
    );
  });
  return figures!;
}

it(`${ROUNDS} connects and disconnects leave nothing behind`, async () => {
  const { server, port } = await startServer();
  await visitAll(port, 1_000);
  const before = await figuresAtRest(server);
  await visitAll(port, ROUNDS);
  const after = await figuresAtRest(server);
  expect(after.stats).toEqual({
    ...{ connections: 0, subscribers: 0, channels: 0 },
    ...{ published: 0, historyEvents: 0, historyBytes: 0 },
  });
  // Timers of the server itself come and go.
  expect(after.resources.Timeout ?? 0).toBeLessThanOrEqual((before.resources.Timeout ?? 0) + 2);
  expect({ ...after.resources, Timeout: 0 }).toEqual({ ...before.resources, Timeout: 0 });
  // Node keeps the context of a request with a parser that waits for the next one: a few, however many there were.
  for (const count of Object.values(after.objects)) expect(count).toBeLessThan(10);
  expect(after.heap - before.heap).toBeLessThan(ALLOWED_GROWTH);
}, 60_000);
