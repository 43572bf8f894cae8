import { describe, expect, it } from '@jest/globals';
import { Controller, Inject, Sse } from '@nestjs/common';
import { concatMap, map, Subject, take } from 'rxjs';
import { MemoryBackplane } from '../../../src/sse/backplanes/memory/memory.backplane.js';
import { EventLog } from '../../../src/sse/log/event-log.js';
import { newMark } from '../../../src/sse/backplanes/common/mark.js';
import { SseHub, type LogFollower, type SseModuleOptions } from '../../../src/sse/index.js';
import { eventually } from '../../support/eventually.js';
import { startSseApp } from '../../support/sse-app.js';
import { listen } from '../../support/open-stream.js';
import { entryAt, positionAt, stored } from '../../unit/stored-events.js';
import { Deferred } from './deferred.js';

@Controller('stock')
class StockController {
  constructor(@Inject(SseHub) private readonly hub: SseHub) {}

  @Sse()
  events() {
    return this.hub.stream('late');
  }
}

/** An application where the channel `late` takes as long to open as the test says. */
async function start(sse: SseModuleOptions) {
  const opening = new Deferred();
  const asked = new Deferred();
  const gate = new Subject<void>();
  const followed: { readonly log: EventLog; readonly follower: LogFollower }[] = [];
  const app = await startSseApp({
    controllers: [StockController],
    routes: {
      events: (hub: SseHub, { query }) =>
        hub.stream(['news', 'late'], { replay: query.last ? Number(query.last) : 'none' }),
      news: (hub: SseHub) => hub.stream('news'),
      held: (hub: SseHub) =>
        hub.stream('news').pipe(
          concatMap((event) =>
            gate.pipe(
              take(1),
              map(() => event),
            ),
          ),
        ),
    },
    sse: {
      ...sse,
      backplane: (limits) => {
        const backplane = new MemoryBackplane(limits);
        const followStored = backplane.follow.bind(backplane);
        backplane.follow = async (channel, settings, follower) => {
          if (channel === 'late') {
            asked.resolve();
            await opening.promise;
          }
          const answer = await followStored(channel, settings, follower);
          followed.push({ log: answer.log, follower });
          return answer;
        };
        return { backplane };
      },
    },
  });
  // The channel is open, so that a stream begins with what is its present now.
  await listen(`${app.url}/news`);
  return { ...app, opening, asked, followed, gate };
}

describe('a stream that waits for one of its channels to open', () => {
  it.each(['', '?last=1'])('gets what came meanwhile, with "%s"', async (query) => {
    const { hub, url, opening, asked } = await start({});
    await hub.publish('news', { data: 'before' });
    const connecting = listen(`${url}/events${query}`);
    await asked.promise;
    await hub.publish('news', { data: 'meanwhile' });
    opening.resolve();
    const client = await connecting;
    const expected = query ? ['before', 'meanwhile'] : ['meanwhile'];
    expect((await client.take(expected.length)).map(({ text }) => text)).toEqual(expected);
  });

  it.each(['', '?last=1'])(
    'is told of what was let go of meanwhile, and not that it had lagged, with "%s"',
    async (query) => {
      const { hub, url, opening, asked } = await start({ history: { count: 2 } });
      const connecting = listen(`${url}/events${query}`);
      await asked.promise;
      const ids: string[] = [];
      for (const data of ['1', '2', '3', '4']) ids.push(await hub.publish('news', { data }));
      opening.resolve();
      const [gap, ...events] = await (await connecting).take(3);
      expect(gap!.data).toEqual({
        channel: 'news',
        reason: 'evicted',
        requested: '',
        oldest: ids[2],
        latest: ids[3],
      });
      expect(events.map(({ text }) => text)).toEqual(['3', '4']);
    },
  );

  it('is told of no gap where nothing yet has become another position', async () => {
    const { hub, url, opening, asked, followed } = await start({});
    const connecting = listen(`${url}/events`);
    await asked.promise;
    const [{ log, follower }] = followed as [(typeof followed)[0]];
    log.floor = log.head = { offset: 0, mark: newMark() };
    follower.moved();
    await hub.publish('news', { data: '1' });
    opening.resolve();
    expect(await (await connecting).next()).toMatchObject({ type: 'message', text: '1' });
  });

  it('is told if another log has taken the place of the one that it was to read', async () => {
    const { hub, url, opening, asked, followed } = await start({});
    for (const data of ['1', '2', '3']) await hub.publish('news', { data });
    const connecting = listen(`${url}/events`);
    await asked.promise;
    const log = new EventLog({ offset: 0, mark: newMark() }, { count: 9, bytes: Infinity, age: Infinity });
    followed[0]!.follower.replaced(log);
    opening.resolve();
    const { type, data } = await (await connecting).next();
    expect([type, data]).toMatchObject(['gap', { channel: 'news', reason: 'unknown', requested: '' }]);
  });
});

describe('a stream whose log another one takes the place of', () => {
  it('gives what was published right before, and tells of that then', async () => {
    const { hub, url, followed } = await start({});
    const client = await listen(`${url}/news`);
    const id = await hub.publish('news', { data: '1' });
    const log = new EventLog({ offset: 0, mark: newMark() }, { count: 9, bytes: Infinity, age: Infinity });
    followed[0]!.follower.replaced(log);
    const [event, gap] = await client.take(2);
    expect(event).toMatchObject({ text: '1', id });
    expect(gap!.data).toMatchObject({ channel: 'news', reason: 'unknown', requested: id });
  });

  it('is not taken to an event of the one before, which an operator held', async () => {
    const { hub, url, followed, gate } = await start({});
    const client = await listen(`${url}/held`);
    await hub.publish('news', { data: 'before' });
    await eventually(() => gate.observed);
    const log = new EventLog(positionAt(0), { count: 9, bytes: Infinity, age: Infinity });
    for (const offset of [1, 2, 3]) log.push(entryAt(offset, stored({ data: String(offset) })));
    followed[0]!.follower.replaced(log);
    const gap = await client.next();
    expect(gap).toMatchObject({ type: 'gap', id: expect.stringMatching(/^0\.m0/) });
    gate.next();
    expect(await client.next()).toMatchObject({ text: 'before', id: gap.id });
    await eventually(() => gate.observed);
    gate.next();
    expect(await client.next()).toMatchObject({ text: '1', id: expect.stringMatching(/^1\.m1/) });
  });
});

describe('a stock route whose head was sent before its channel was open', () => {
  it('gives a position before it ends, as it cannot say any more that the channel is over', async () => {
    const { hub, url, opening } = await start({});
    const id = await hub.publish('late', { data: 'last' });
    await hub.complete('late');
    const client = await listen(`${url}/stock`);
    expect(client.status).toBe(200);
    opening.resolve();
    await client.rest();
    expect(client.lastEventId).toBe(id);
  });
});
