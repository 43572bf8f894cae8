import { channel, subscribe, unsubscribe } from 'node:diagnostics_channel';
import { describe, expect, it, jest } from '@jest/globals';
import { map } from 'rxjs';
import { Channel } from '../../../src/sse/channels/channel.js';
import { listenTo, type SseListeners } from '../../../src/sse/index.js';
import { whenTestEnds } from '../../support/clean-up.js';
import { startSseApp, untilConnections, untilSubscribers, type SseApp } from '../../support/sse-app.js';
import { listen } from '../../support/open-stream.js';
import { LogRecorder } from '../http/log-recorder.js';
import { instanceOf, Told } from './told.js';

const NAMES = [
  'connection:began',
  'connection:opened',
  'connection:ended',
  'stream:began',
  'stream:ended',
  'channel:delivered',
  'publish:start',
  'publish:asyncEnd',
] as const;

async function start(): Promise<SseApp & { readonly log: LogRecorder }> {
  const log = new LogRecorder();
  const app = await startSseApp({
    routes: {
      batches: (hub) => hub.stream('news'),
      values: (hub) => hub.stream('news').pipe(map((event) => event)),
    },
    configure: (nest) => nest.useLogger(log),
  });
  return { ...app, log };
}

/** Opens a stream, gets an event, and leaves. */
async function visit({ hub, url }: SseApp): Promise<void> {
  const clients = [await listen(`${url}/batches`), await listen(`${url}/values`)];
  await untilSubscribers(hub, 'news', 2);
  await hub.publish('news', { data: 'x' });
  for (const client of clients) expect(await client.next()).toMatchObject({ text: 'x' });
  for (const client of clients) client.close();
  await untilConnections(hub, 0);
}

describe('a listener', () => {
  it('hears its own hub alone, and all hubs where it names none', async () => {
    const [one, other] = [await start(), await start()];
    const ofOne = Told.of(one, 'publish:start');
    const all: string[] = [];
    whenTestEnds(listenTo({ 'publish:start': ({ hub }) => all.push(hub) }));
    await other.hub.publish('news', { data: 'x' });
    await one.hub.publish('news', { data: 'x' });
    expect(ofOne.all.map(({ message }) => message.hub)).toEqual([instanceOf(one)]);
    expect(all).toEqual([instanceOf(other), instanceOf(one)]);
  });

  it('that throws, or rejects, harms nobody, and is logged once in ten seconds', async () => {
    const app = await start();
    const throwing = NAMES.map((name) => [
      name,
      () => {
        throw new Error(`of ${name}`);
      },
    ]);
    whenTestEnds(listenTo(Object.fromEntries(throwing) as SseListeners, instanceOf(app)));
    const told = Told.of(app, ...NAMES);
    const rejecting = (() => Promise.reject(new Error('later'))) as () => void;
    whenTestEnds(
      listenTo({ 'stream:began': () => void 0, 'connection:backed-up': rejecting }, instanceOf(app)),
    );
    whenTestEnds(listenTo({ 'publish:asyncEnd': rejecting }, instanceOf(app)));
    await visit(app);
    await visit(app);
    expect([...new Set(told.names)].sort()).toEqual([...NAMES].sort());
    for (const name of NAMES) {
      const lines = app.log.entries.filter(({ text }) => text.startsWith(`A listener of ${name} has failed`));
      expect(lines).toHaveLength(name === 'publish:asyncEnd' ? 2 : 1);
    }
  });

  it('hears nothing any more when its listening has ended', async () => {
    const app = await start();
    const heard: string[] = [];
    const end = listenTo({ 'publish:start': ({ channel }) => heard.push(channel) }, instanceOf(app));
    await app.hub.publish('news', { data: 'x' });
    end();
    await app.hub.publish('news', { data: 'x' });
    expect(heard).toEqual(['news']);
    expect(channel('tracing:nestjs-sse-hub:publish:start').hasSubscribers).toBe(false);
  });

  it('of node:diagnostics_channel hears the same', async () => {
    const app = await start();
    const heard: unknown[] = [];
    const listener = (message: unknown): void => void heard.push(message);
    subscribe('nestjs-sse-hub:channel:purged', listener);
    await app.hub.purge('news');
    unsubscribe('nestjs-sse-hub:channel:purged', listener);
    expect(heard).toEqual([{ hub: instanceOf(app), channel: 'news', definition: undefined }]);
  });
});

it('nothing is made where nobody has subscribed', async () => {
  const app = await start();
  const counted = jest.spyOn(Channel.prototype, 'delivered');
  // Every channel of the package publishes through this.
  const published = jest.spyOn(Object.getPrototypeOf(channel('nestjs-sse-hub:connection:began')), 'publish');
  whenTestEnds(() => jest.restoreAllMocks());
  await visit(app);
  expect(counted).not.toHaveBeenCalled();
  expect(published).not.toHaveBeenCalled();
});
