import { describe, expect, it } from '@jest/globals';
import type { BackplaneFactory, LogFollower, SseHub } from '../../../src/sse/index.js';
import { EventLog } from '../../../src/sse/log/event-log.js';
import { MemoryBackplane } from '../../../src/sse/backplanes/memory/memory.backplane.js';
import { startSseApp, type SseApp } from '../../support/sse-app.js';
import { listen } from '../../support/open-stream.js';

/** Logs whose copies stand still until they are asked to locate a position: no notice ever comes. */
const late =
  (canLocate: boolean): BackplaneFactory =>
  (limits) => {
    const stored = new MemoryBackplane(limits);
    const followStored = stored.follow.bind(stored);
    const follow: MemoryBackplane['follow'] = async (channel, settings, follower) => {
      const { log, stop } = await followStored(channel, settings, SILENT);
      const copy = new EventLog(log.head, log.limits);
      const locate: NonNullable<Awaited<ReturnType<typeof follow>>['locate']> = async (position) => {
        for (const entry of log.entriesAfter(copy.head.offset)) {
          copy.push(entry);
          follower.appended(entry);
        }
        return log.has(position) ? position : undefined;
      };
      return { log: copy, stop, ...(canLocate && { locate }) };
    };
    return { backplane: Object.assign(stored, { follow }) };
  };

const noop = (): void => undefined;

const SILENT: LogFollower = { appended: noop, completed: noop, moved: noop, leaving: noop, replaced: noop };

async function start(canLocate: boolean): Promise<SseApp & { ids: readonly string[] }> {
  const routes = {
    events: (hub: SseHub) => hub.stream('news'),
    both: (hub: SseHub) => hub.stream(['a', 'news']),
  };
  const app = await startSseApp({ routes, sse: { backplane: late(canLocate) } });
  await listen(`${app.url}/events`); // so that the log is followed, and has nothing in it
  const ids: string[] = [''];
  for (const data of ['1', '2', '3']) ids.push(await app.hub.publish('news', { data }));
  return { ...app, ids };
}

describe('a client that was served by another instance, and knows more than has come here', () => {
  it('is told of no gap: what it knows of is fetched first', async () => {
    const { url, ids } = await start(true);
    const client = await listen(`${url}/events`, { lastEventId: ids[3]! });
    expect(await client.untilId()).toBe(ids[3]);
    const behind = await listen(`${url}/events`, { lastEventId: ids[2]! });
    expect(await behind.next()).toMatchObject({ id: ids[3], text: '3' });
  });

  it('of several channels neither', async () => {
    const { url, ids } = await start(true);
    const client = await listen(`${url}/both`, { lastEventId: `news=${ids[3]!}` });
    expect(await client.untilId()).toContain(`news=${ids[3]!}`);
  });

  it('is told of the gap if what it knows of is nowhere', async () => {
    const { url, ids } = await start(true);
    const client = await listen(`${url}/events`, { lastEventId: ids[3]!.replace(/^3/, '9') });
    const gap = await client.next();
    expect(gap.data).toMatchObject({ reason: 'unknown', latest: ids[3] });
  });

  it('is told what was evicted meanwhile, while it is connected, by that name', async () => {
    const copies = new Map<string, () => void>();
    const overtaken: BackplaneFactory = (limits) => {
      const stored = new MemoryBackplane(limits);
      const followStored = stored.follow.bind(stored);
      const follow: MemoryBackplane['follow'] = async (channel, settings, follower) => {
        const { log, stop } = await followStored(channel, settings, SILENT);
        copies.set(channel, () => follower.replaced(log));
        return { log: new EventLog(log.head, log.limits), stop };
      };
      return { backplane: Object.assign(stored, { follow }) };
    };
    const routes = { events: (hub: SseHub) => hub.stream('news') };
    const { url, hub } = await startSseApp({ routes, sse: { backplane: overtaken, history: { count: 2 } } });
    const client = await listen(`${url}/events`);
    const ids: string[] = [];
    for (const data of ['1', '2', '3']) ids.push(await hub.publish('news', { data }));
    copies.get('news')!();
    expect((await client.next()).data).toMatchObject({ reason: 'evicted', oldest: ids[1] });
    expect((await client.next()).id).toBe(ids[1]);
  });

  it('is told of the gap where nothing can be fetched', async () => {
    const { url, ids } = await start(false);
    const client = await listen(`${url}/events`, { lastEventId: ids[3]! });
    expect((await client.next()).data).toMatchObject({ reason: 'unknown' });
  });
});
