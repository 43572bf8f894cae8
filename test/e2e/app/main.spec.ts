import { afterEach, describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { root, startDemo, type RunningProcess } from '../../support/process.js';
import { EventReader } from './event-reader.js';

/** Runs `dist/main.js` with settings that it should refuse, to its end. */
function runToEnd(env: NodeJS.ProcessEnv): Promise<{ code: number; output: string }> {
  return new Promise((resolve) => {
    const options = { env: { ...process.env, NO_COLOR: '1', ...env } };
    execFile(process.execPath, [join(root, 'dist/main.js')], options, (error, stdout, stderr) => {
      resolve({ code: Number(error?.code ?? 0), output: stdout + stderr });
    });
  });
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
    expect(addresses).toEqual(['/', '/chat', '/broadcast', '/ticker'].map((path) => demo!.url + path));
    for (const address of addresses!) expect((await fetch(address)).status).toBe(200);
  });

  it.each(['SIGTERM', 'SIGINT'] as const)('ends on %s, and its open streams end with it', async (signal) => {
    demo = await startDemo();
    const readers = [
      await EventReader.open(`${demo.url}/ticker/time`),
      await EventReader.open(`${demo.url}/broadcast/events`),
      await EventReader.open(`${demo.url}/chat/rooms/lobby/messages`),
    ];
    const ended = Promise.all(
      readers.map(async (reader) => {
        while ((await reader.next()) !== undefined);
        return reader.retries.length > 0;
      }),
    );
    await demo.stop(signal);
    // Each was told when to come back, and ended properly: a broken connection would have thrown.
    expect(await ended).toEqual([true, true, true]);
    expect(demo.output()).not.toMatch(/error/i);
  });

  it('takes CORS_ORIGIN', async () => {
    demo = await startDemo({ CORS_ORIGIN: 'https://a.example, https://b.example' });
    const { headers } = await fetch(`${demo.url}/healthz`, { headers: { Origin: 'https://b.example' } });
    expect(headers.get('access-control-allow-origin')).toBe('https://b.example');
  });

  it.each([
    ['abc', 'PORT'],
    ['-1', 'PORT'],
    ['65536', 'PORT'],
    ['3000.5', 'PORT'],
    ['https://a.example/', 'CORS_ORIGIN'],
    ['*', 'CORS_ORIGIN'],
  ])('says in one line that %s is no %s', async (value, variable) => {
    const { code, output } = await runToEnd({ [variable]: value });
    expect(code).toBe(1);
    expect(output.trim().split('\n')).toEqual([expect.stringMatching(new RegExp(`${variable} must .*"`))]);
    expect(output).toContain(`"${value}"`);
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
});
