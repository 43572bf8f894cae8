import { describe, expect, it } from '@jest/globals';
import { MemoryBackplane } from '../../../src/sse/backplanes/memory.backplane.js';
import { EventLog, type BackplaneFactory, type SseHub } from '../../../src/sse/index.js';
import { startSseApp, type SseApp } from '../../support/sse-app.js';
import { SseClient } from '../../support/sse-client.js';

/** Logs that are shared with others, of which what others have appended is seen here only when it is asked for. */
const late =
  (hasRefresh: boolean): BackplaneFactory =>
  (limits) => {
    const stored = new MemoryBackplane(limits);
    const open = stored.follow.bind(stored);
    const follow: typeof open = async (channel, settings, follower) => {
      const nobody = { appended: noop, completed: noop, emptying: noop, replaced: noop };
      const { log, stop } = await open(channel, settings, nobody);
      const copy = new EventLog(log.epoch, log.limits);
      const refresh = async (): Promise<void> => {
        for (const entry of log.entriesAfter(copy.head)) {
          copy.push(entry);
          follower.appended(entry);
        }
      };
      return { log: copy, stop, ...(hasRefresh && { refresh }) };
    };
    return { backplane: Object.assign(stored, { follow }) };
  };

const noop = (): void => undefined;

async function start(hasRefresh: boolean): Promise<SseApp & { epoch: string }> {
  const routes = {
    events: (hub: SseHub) => hub.stream('news'),
    both: (hub: SseHub) => hub.stream(['a', 'news']),
  };
  const app = await startSseApp({ routes, sse: { backplane: late(hasRefresh) } });
  await SseClient.open(`${app.url}/events`); // so that the log is followed, and has nothing in it
  for (const data of ['1', '2', '3']) await app.hub.publish('news', { data });
  const { position } = await app.hub.history('news');
  return { ...app, epoch: position.split('-')[0]! };
}

describe('a client that was served by another instance, and knows more than has come here', () => {
  it('is told of no gap: what it knows of is fetched first', async () => {
    const { url, epoch } = await start(true);
    const client = await SseClient.open(`${url}/events`, { lastEventId: `${epoch}-3` });
    expect((await client.nextBlock()).id).toBe(`${epoch}-3`);
    const behind = await SseClient.open(`${url}/events`, { lastEventId: `${epoch}-2` });
    expect(await behind.next()).toMatchObject({ id: `${epoch}-3`, data: '3' });
  });

  it('of several channels neither', async () => {
    const { url, epoch } = await start(true);
    const client = await SseClient.open(`${url}/both`, { lastEventId: `news=${epoch}-3` });
    expect((await client.nextBlock()).id).toContain(`news=${epoch}-3`);
  });

  it('is told of the gap if what it knows of is nowhere', async () => {
    const { url, epoch } = await start(true);
    const client = await SseClient.open(`${url}/events`, { lastEventId: `${epoch}-9` });
    const gap = await client.next();
    expect(JSON.parse(gap.data)).toMatchObject({ reason: 'ahead', latest: `${epoch}-3` });
  });

  it('is told of the gap where nothing can be fetched', async () => {
    const { url, epoch } = await start(false);
    const client = await SseClient.open(`${url}/events`, { lastEventId: `${epoch}-3` });
    expect(JSON.parse((await client.next()).data)).toMatchObject({ reason: 'ahead' });
  });
});
