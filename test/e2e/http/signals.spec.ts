import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import { whenTestEnds } from '../../support/clean-up.js';
import { start } from '../../support/process.js';
import type { RunningProcess } from '../../support/process.js';
import { listen } from '../../support/open-stream.js';
import { Wire } from './wire.js';

const script = fileURLToPath(new URL('./signal-app.js', import.meta.url));

async function startApp(...args: string[]): Promise<RunningProcess & { url: string }> {
  const app = await start(process.execPath, [script, ...args], /https?:\/\/[^\s/]+:(\d+)/);
  whenTestEnds(() => app.stop('SIGKILL'));
  return { ...app, url: `http://127.0.0.1:${app.match[1]!}` };
}

describe.each(['SIGTERM', 'SIGINT'] as const)('%s, with enableShutdownHooks()', (signal) => {
  it.each([
    ['exit', 0],
    ['signal', null], // Nest ends the process by the signal that it got
  ])('says goodbye to all clients and ends the process (by %s)', async (by, code) => {
    const app = await startApp(by);
    const clients = await Promise.all(Array.from({ length: 20 }, () => listen(`${app.url}/news`)));
    const stalled = await Wire.get(`${app.url}/news`);
    stalled.stall();
    const idle = await Wire.connect(app.url);
    for (const client of clients) await client.next();
    expect(await app.stop(signal)).toBe(code);
    for (const client of clients) {
      expect((await client.rest()).at(-1)!.text).toBe('farewell');
      expect(await client.ended()).toBe('ended');
    }
    expect(new Set(clients.map(({ retry }) => retry)).size).toBeGreaterThan(10);
    await idle.closed;
    expect(app.output().split('\n').slice(1).join('')).toBe('');
  });
});
