import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it, jest } from '@jest/globals';
import { MemoryBackplane } from '../../../src/sse/backplanes/memory/memory.backplane.js';
import { MemoryBus, MemoryCluster } from '../../../src/sse/backplanes/memory/memory.cluster.js';
import type { SseCluster, SseHub } from '../../../src/sse/index.js';
import { moduleSettings } from '../../../src/sse/sse.settings.js';
import { eventually } from '../../support/eventually.js';
import { startSseApp, type SseApp } from '../../support/sse-app.js';
import { listen } from '../../support/open-stream.js';
import { LogRecorder } from '../http/log-recorder.js';
import { Deferred } from '../streams/deferred.js';
import { Feed } from '../streams/feed.js';

/** Instances on one set of logs, of which the test ends the signs of life of some. */
function instances() {
  const bus = new MemoryBus();
  const backplane = new MemoryBackplane(moduleSettings().limits);
  const log = new LogRecorder();
  const start = async (): Promise<SseApp & { readonly cluster: SseCluster }> => {
    const cluster = new MemoryCluster(bus);
    const app = await startSseApp({
      routes: { a: (hub: SseHub) => hub.stream('a', { replay: 'all' }) },
      sse: { backplane: () => ({ backplane, cluster }) },
      configure: (app) => app.useLogger(log),
    });
    return { ...app, cluster };
  };
  return { bus, log, start };
}

describe('a pipe of an instance that gives no sign of life', () => {
  it('is ended by another, once, and stops when it goes on', async () => {
    const { log, start } = instances();
    const [one, other] = [await start(), await start()];
    const feed = new Feed();
    const piped = expect(one.hub.pipe('a', feed)).rejects.toMatchObject({ code: 'CHANNEL_COMPLETED' });
    feed.say('one');
    const client = await listen(`${other.url}/a`);
    await client.next();
    await one.cluster.close();
    expect(await client.rest()).toMatchObject([{ type: 'error', text: 'Lost' }]);
    await log.until(/process that piped a source into "a" has ended/);
    feed.say('two');
    await piped;
    await eventually(() => feed.isLeft);
    expect((await other.hub.history('a')).events.map(({ data }) => data)).toEqual(['one', 'Lost']);
    expect(await other.cluster.wills.orphaned()).toEqual([]);
  });

  it('is ended without a word when its source had ended, and not again when it was completed', async () => {
    const { bus, log, start } = instances();
    const one = await start();
    expect(await one.hub.pipe('a', (async function* () {})())).toBe(0);
    expect(bus.wills.size).toBe(0);
    const will = (channel: string) => JSON.stringify({ channel, complete: true });
    bus.wills.set('x', { instance: 'gone', id: 'x', text: will('b') });
    const told = { type: 'error', data: 'Lost', json: false };
    bus.wills.set('y', {
      instance: 'gone',
      id: 'y',
      text: JSON.stringify({ channel: 'a', last: told, complete: true }),
    });
    await log.until(/"a" has ended/);
    await log.until(/"b" has ended/);
    expect((await one.hub.history('a')).events).toEqual([]);
    await expect(one.hub.publish('b', { data: 1 })).rejects.toMatchObject({ code: 'CHANNEL_COMPLETED' });
    expect(bus.wills.size).toBe(0);
  });

  it('is told of once, although its will could not be removed at first', async () => {
    const { bus, start } = instances();
    const { hub, cluster } = await start();
    jest.spyOn(cluster.wills, 'remove').mockRejectedValueOnce(new Error('away'));
    const last = { type: 'error', data: 'Lost', json: false };
    const text = JSON.stringify({ channel: 'a', last, complete: false });
    bus.wills.set('x', { instance: 'gone', id: 'x', text });
    await eventually(() => bus.wills.size === 0);
    expect((await hub.history('a')).events.map(({ data }) => data)).toEqual(['Lost']);
  });

  it('is left alone, with one line in the log, where its will is that of another version', async () => {
    const { bus, log, start } = instances();
    await start();
    bus.wills.set('x', { instance: 'gone', id: 'x', text: 'news' });
    await log.until(/cannot be ended yet/);
    bus.wills.set('y', { instance: 'gone', id: 'y', text: '{"channel":"a","complete":true}' });
    await log.until(/"a" has ended/);
    expect([...bus.wills.keys()]).toEqual(['x']);
    expect(log.entries.filter(({ text }) => text.includes('cannot be ended yet'))).toHaveLength(1);
  });
});

describe('a pipe that is at work', () => {
  it('publishes nothing before its will is left', async () => {
    const { start } = instances();
    const { hub, cluster } = await start();
    const away = new Deferred();
    const leave = jest.spyOn(cluster.wills, 'leave').mockImplementationOnce(async () => {
      await away.promise;
      throw new Error('away');
    });
    const feed = new Feed();
    const piped = expect(hub.pipe('a', feed)).rejects.toThrow('away');
    feed.say('one');
    await eventually(() => leave.mock.calls.length > 0);
    await hub.publish('b', { data: 'meanwhile' });
    await turn();
    away.resolve();
    await piped;
    expect((await hub.history('a')).events.map(({ type }) => type)).toEqual(['error']);
  });

  it('leaves its will anew when the store has lost it', async () => {
    const { bus, start } = instances();
    const { hub } = await start();
    const feed = new Feed();
    const piped = hub.pipe('a', feed, { complete: false });
    await eventually(() => bus.wills.size === 1);
    const [id] = bus.wills.keys();
    bus.wills.clear();
    await eventually(() => bus.wills.has(id!));
    feed.end();
    expect(await piped).toBe(0);
    expect(bus.wills.size).toBe(0);
  });
});
