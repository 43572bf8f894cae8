import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { redisBackplane } from '../../../src/sse/backplanes/redis/index.js';
import type { SseHub } from '../../../src/sse/index.js';
import { whenTestEnds } from '../../support/clean-up.js';
import { describeWith } from '../../support/describe-with.js';
import { eventually } from '../../support/eventually.js';
import { RedisServer } from '../../support/redis-server.js';
import { startSseApp } from '../../support/sse-app.js';
import { listen } from '../../support/open-stream.js';

describe('an event that is emitted', () => {
  const lines: string[] = [];
  let spy: { mockRestore(): void };

  beforeEach(() => {
    lines.length = 0;
    spy = jest.spyOn(Logger.prototype, 'error').mockImplementation((message: unknown) => {
      lines.push(String(message));
    });
  });
  afterEach(() => spy.mockRestore());

  it('is published, in the order of the calls', async () => {
    const { url, hub } = await startSseApp({ routes: { a: (hub: SseHub) => hub.stream('a') } });
    const client = await listen(`${url}/a`);
    hub.emit('a', { data: 1 });
    await hub.publish('a', { data: 2 });
    hub.emit('a', { data: 3 });
    expect((await client.take(3)).map(({ text }) => text)).toEqual(['1', '2', '3']);
    expect(hub.stats()).toMatchObject({ published: 3, failedEmits: 0 });
  });

  it('and cannot be published is counted, and logged once for each kind of failure', async () => {
    const { hub } = await startSseApp({});
    for (let i = 0; i < 3; i++) hub.emit('a', { data: 1n });
    hub.emit('', { data: 1 });
    await eventually(() => hub.stats().failedEmits === 4);
    expect(lines).toEqual([
      'An event for the channel "a" was not published.',
      'An event for the channel "" was not published.',
    ]);
  });

  it('while the application closes is counted alone', async () => {
    const { app, hub } = await startSseApp({});
    await app.close();
    hub.emit('a', { data: 1 });
    await eventually(() => hub.stats().failedEmits === 1);
    expect(lines).toEqual([]);
  });

  describeWith('redis-server', 'to a Redis that is away', (path) => {
    it('does not end the process', async () => {
      const server = await RedisServer.start(path);
      whenTestEnds(() => server.dispose());
      const backplane = redisBackplane({ connection: { url: server.url }, publishTimeout: 100 });
      const { hub } = await startSseApp({ sse: { backplane } });
      await server.stop();
      for (let i = 0; i < 10; i++) hub.emit('a', { data: i });
      await eventually(() => hub.stats().failedEmits === 10);
      expect(lines.filter((line) => line.includes('was not published'))).toHaveLength(1);
    });
  });
});
