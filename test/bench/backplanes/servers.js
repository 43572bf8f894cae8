import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findProgram, howToGet } from '../../support/programs.js';

/** What an installation without settings is, but on one port of this machine and in one folder. */
const kinds = {
  redis: {
    program: 'redis-server',
    args: (port, folder) => ['--port', port, '--bind', '127.0.0.1', '--dir', folder, '--save', ''],
    ready: 'Ready to accept connections',
    address: (port) => `redis://127.0.0.1:${port}`,
  },
  nats: {
    program: 'nats-server',
    args: (port, folder) => ['--addr', '127.0.0.1', '--port', port, '--jetstream', '--store_dir', folder],
    ready: 'Server is ready',
    address: (port) => `127.0.0.1:${port}`,
  },
};

/** What is wrong with starting such a server here; nothing, if it can be started. */
export function whatIsMissing(name) {
  const { program } = kinds[name];
  return findProgram(program) ? undefined : `${program} is missing: ${howToGet(program)}`;
}

/** Starts a server, which ends with this process at the latest, and its files with it. */
export async function startServer(name) {
  const { program, args, ready, address } = kinds[name];
  const folder = mkdtempSync(join(tmpdir(), `bench-${name}-`));
  const port = await freePort();
  const child = spawn(findProgram(program), args(String(port), folder), {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = new Promise((resolve) => child.once('close', resolve));
  const end = () => {
    child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  };
  process.once('exit', end);
  await new Promise((resolve, reject) => {
    let output = '';
    const read = (text) => {
      output += text;
      if (output.includes(ready)) resolve();
    };
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', read);
    child.once('error', reject);
    ended.then(() => reject(new Error(`${program} ended: ${output.trim()}`)));
  });
  return {
    address: address(port),
    pid: child.pid,
    async stop() {
      child.kill('SIGKILL');
      await ended;
      process.off('exit', end);
      end();
    },
  };
}

function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}
