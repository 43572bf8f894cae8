import { afterEach, describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { OPERATIONS, PAGES } from '../../../src/app/app.setup.js';
import { whenTestEnds } from '../../support/clean-up.js';
import { describeWith } from '../../support/describe-with.js';
import { root, startDemo, type RunningProcess } from '../../support/process.js';
import { RedisServer } from '../../support/redis-server.js';
import { temporaryFolder } from '../../support/temporary-folder.js';
import { post } from './booted-app.js';
import { listen } from '../../support/open-stream.js';

/** Runs `dist/main.js` with settings that it should refuse, to its end. */
function runToEnd(env: NodeJS.ProcessEnv): Promise<{ code: number; output: string }> {
  return new Promise((resolve) => {
    const options = { env: { ...process.env, NO_COLOR: '1', ...env } };
    execFile(process.execPath, [join(root, 'dist/main.js')], options, (error, stdout, stderr) => {
      resolve({ code: Number(error?.code ?? 0), output: stdout + stderr });
    });
  });
}

/** The one line that it ends with. */
async function refusal(env: NodeJS.ProcessEnv): Promise<string> {
  const { code, output } = await runToEnd({ PORT: '0', ...env });
  const lines = output.trim().split('\n');
  expect({ code, lines }).toEqual({ code: 1, lines: [expect.any(String)] });
  return lines[0]!;
}

describe('node dist/main.js', () => {
  let demo: (RunningProcess & { url: string }) | undefined;
  afterEach(async () => {
    await demo?.stop('SIGKILL');
    demo = undefined;
  });

  it('prints the addresses of the pages', async () => {
    demo = await startDemo();
    const addresses = demo.output().match(/http:\S+/g);
    expect(addresses).toEqual([...PAGES, ...OPERATIONS].map((path) => demo!.url + path));
    for (const address of addresses!) expect((await fetch(address)).status).toBe(200);
  });

  it.each(['SIGTERM', 'SIGINT'] as const)('ends on %s, and its open streams end with it', async (signal) => {
    demo = await startDemo();
    const readers = [
      await listen(`${demo.url}/ticker/time`),
      await listen(`${demo.url}/broadcast/events`),
      await listen(`${demo.url}/chat/rooms/lobby/messages`),
    ];
    await demo.stop(signal);
    // Each was told when to come back, and ended properly: no connection was broken.
    expect(await Promise.all(readers.map((reader) => reader.ended()))).toEqual(['ended', 'ended', 'ended']);
    for (const { retry } of readers) expect(retry).toBeGreaterThan(0);
    expect(demo.output()).not.toMatch(/error/i);
  });

  it('takes CORS_ORIGIN', async () => {
    demo = await startDemo({ CORS_ORIGIN: 'https://a.example, https://b.example' });
    const { headers } = await fetch(`${demo.url}/health/live`, { headers: { Origin: 'https://b.example' } });
    expect(headers.get('access-control-allow-origin')).toBe('https://b.example');
  });

  // Each setting that is refused: test/unit/app.config.spec.ts.
  it('says in one line which setting is wrong', async () => {
    const line = await refusal({ PORT: 'abc' });
    expect(line).toBe('Cannot start: PORT must be a whole number from 0 to 65535, not "abc"');
  });

  it('says in one line that a port is taken', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const { port } = other.address() as AddressInfo;
    const { code, output } = await runToEnd({ PORT: String(port) });
    other.close();
    expect(code).toBe(1);
    expect(output.trim().split('\n')).toEqual([
      expect.stringContaining(`address already in use 127.0.0.1:${port}`),
    ]);
  });

  it.each([
    [{ SSE_BACKPLANE: 'redis', REDIS_URL: 'http://127.0.0.1' }, 'The Redis URL cannot be read'],
    [{ SSE_BACKPLANE: 'redis', REDIS_URL: 'redis://127.0.0.1:1' }, 'Redis at 127.0.0.1:1 cannot be reached'],
    [
      { SSE_BACKPLANE: 'nats', NATS_URL: 'nats://127.0.0.1:1' },
      'NATS cannot be reached at nats://127.0.0.1:1',
    ],
    // A file, which cannot have a folder in it.
    [{ SSE_BACKPLANE: 'lmdb', SSE_DATA_DIR: 'package.json/data' }, 'The directory package.json/data cannot'],
  ])('says in one line what is wrong with %j', async (env, reason) => {
    expect(await refusal(env)).toMatch(new RegExp(reason));
  });

  it('keeps the history of the chat through a restart and a kill, with lmdb', async () => {
    const env = { SSE_BACKPLANE: 'lmdb', SSE_DATA_DIR: await temporaryFolder() };
    const history: unknown[] = [];
    for (const signal of ['SIGTERM', 'SIGKILL', 'SIGTERM'] as const) {
      demo = await startDemo(env);
      const room = `${demo.url}/chat/rooms/lobby/messages`;
      history.push((await post(room, { from: 'Mira', text: signal })).body);
      const told = await (await listen(room)).take(history.length);
      expect(told.map(({ data }) => data)).toEqual(history);
      await demo.stop(signal);
    }
  });

  it('refuses a directory that another one uses', async () => {
    const env = { SSE_BACKPLANE: 'lmdb', SSE_DATA_DIR: await temporaryFolder() };
    demo = await startDemo(env);
    expect(await refusal(env)).toContain(`The directory ${env.SSE_DATA_DIR} cannot be used`);
  });
});

describeWith('redis-server', 'node dist/main.js with a Redis', (path) => {
  it('says in one line that the password is wrong, and does not tell it', async () => {
    const server = await RedisServer.start(path, { args: ['--requirepass', 'secret'] });
    whenTestEnds(() => server.dispose());
    const url = `redis://:wrong@127.0.0.1:${server.port}`;
    const line = await refusal({ SSE_BACKPLANE: 'redis', REDIS_URL: url });
    expect(line).toContain(`Redis at 127.0.0.1:${server.port} does not accept the password`);
    expect(line).not.toContain('wrong');
  });
});
