// Processes and waiting. Everything that is waited for has a time after which it is not waited for any more.
import { execFile, spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

/** Runs a program to its end; rejects when it fails, or has not ended within five minutes. */
export const run = (file, args, options = {}) =>
  promisify(execFile)(file, args, {
    maxBuffer: 2 ** 24,
    timeout: 300_000,
    killSignal: 'SIGKILL',
    ...options,
  });

/** Resolves as the promise does; rejects after so many milliseconds. */
export async function within(milliseconds, what, promise) {
  const timeout = new AbortController();
  const late = sleep(milliseconds, undefined, { signal: timeout.signal }).then(() => {
    throw new Error(what);
  });
  late.catch(() => undefined);
  try {
    return await Promise.race([promise, late]);
  } finally {
    timeout.abort();
  }
}

/** Asks again and again until the answer is yes; false if it was not within so many milliseconds. */
export async function until(milliseconds, check) {
  for (const deadline = Date.now() + milliseconds; Date.now() < deadline; await sleep(50)) {
    if (await check()) return true;
  }
  return false;
}

/** A process whose lines are kept. */
export function start(file, args, options = {}) {
  const child = spawn(file, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
  const lines = [];
  const errors = [];
  createInterface(child.stdout).on('line', (line) => lines.push(line));
  createInterface(child.stderr).on('line', (line) => errors.push(line));
  let isOver = false;
  const ended = new Promise((resolve) => {
    child.once('error', () => resolve(-1)).once('close', resolve);
  }).finally(() => (isOver = true));
  /** Sends the signal; gives the exit code, which is null after a kill. */
  const stop = async (signal = 'SIGKILL') => {
    child.kill(signal);
    return ended;
  };
  return { lines, errors, stop, isOver: () => isOver };
}

export async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

export { sleep };
