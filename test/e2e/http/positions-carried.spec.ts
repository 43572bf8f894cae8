import { describe, expect, it } from '@jest/globals';
import {
  concat,
  delayWhen,
  map,
  merge,
  mergeMap,
  retry,
  Subject,
  take,
  takeUntil,
  takeWhile,
  tap,
} from 'rxjs';
import type { SseEvent, SseHub } from '../../../src/sse/index.js';
import { SseError } from '../../../src/sse/index.js';
import { MemoryBackplane } from '../../../src/sse/backplanes/memory/memory.backplane.js';
import type { TestEvent, TestStream } from '../../../src/sse/testing/index.js';
import { eventually } from '../../support/eventually.js';
import { startSseApp, untilSubscribers } from '../../support/sse-app.js';
import type { Route, SseApp, SseAppOptions } from '../../support/sse-app.js';
import { listen } from '../../support/open-stream.js';
import { Deferred } from '../streams/deferred.js';

const both: Route = (hub) => hub.stream(['news', 'sport']);

/** An app with one route more than the plain one of both channels. */
const start = (events: Route, options: SseAppOptions = {}): Promise<SseApp> =>
  startSseApp({ routes: { events, both }, ...options });

const say = (hub: SseHub, channel: string, data: string): Promise<string> => hub.publish(channel, { data });

/** A client that has an event of each of both channels. */
async function clientOfBoth({ hub, url }: SseApp, path = 'events'): Promise<TestStream> {
  const client = await listen(`${url}/${path}`);
  await client.untilId();
  await say(hub, 'news', 'first');
  await say(hub, 'sport', 'first');
  await client.take(2);
  return client;
}

const dataOf = (events: readonly TestEvent[]): string[] => events.map(({ text }) => text);

/** What a client is given, up to what is published now, that comes back to both channels. */
async function onReturn({ hub, url }: SseApp, lastEventId: string): Promise<string[]> {
  const client = await listen(`${url}/both`, { lastEventId });
  await client.untilId();
  await say(hub, 'sport', 'live');
  return dataOf(await client.until(({ text }) => text === 'live'));
}

describe('a client keeps its place in a channel', () => {
  it.each(['nothing', 'an event of another channel'])(
    'that is streamed late, if all that it gets before is %s',
    async (what) => {
      const found = new Subject<void>();
      const late: Route = (hub) => merge(hub.stream('news'), found.pipe(mergeMap(() => hub.stream('sport'))));
      const app = await start(late);
      const { hub, url } = app;
      const first = await clientOfBoth(app, 'both');
      first.drop();
      await say(hub, 'sport', 'missed');
      const brief = await listen(`${url}/events`, { lastEventId: first.lastEventId });
      await brief.untilId();
      if (what !== 'nothing') {
        await say(hub, 'news', 'second');
        await brief.next();
      }
      brief.drop();
      const client = await listen(`${url}/events`, { lastEventId: brief.lastEventId });
      await client.untilId();
      found.next();
      await untilSubscribers(hub, 'sport', 1);
      await say(hub, 'sport', 'live');
      expect(dataOf(await client.until(({ text }) => text === 'live'))).toEqual(['missed', 'live']);
    },
  );

  it('whose stream has failed and is tried again later', async () => {
    const failing: Route = (hub) =>
      merge(
        hub.stream('news'),
        hub.stream('sport').pipe(
          tap(({ data }) => {
            if (data === 'bad') throw new Error('The model is away.');
          }),
          retry({ delay: () => new Subject() }),
        ),
      );
    const app = await start(failing);
    const { hub } = app;
    const client = await clientOfBoth(app);
    await say(hub, 'sport', 'bad');
    await untilSubscribers(hub, 'sport', 0);
    await say(hub, 'news', 'second');
    expect((await client.next()).text).toBe('second');
    client.drop();
    expect(await onReturn(app, client.lastEventId)).toEqual(['bad', 'live']);
  });

  it.each(['BACKPLANE_AWAY', 'HUB_FULL'] as const)('that cannot be opened for now: %s', async (code) => {
    let isAway = false;
    const app = await start(both, {
      sse: {
        retry: 1,
        shutdown: { spread: 1 },
        backplane: (limits) => {
          const backplane = new MemoryBackplane(limits);
          const follow = backplane.follow.bind(backplane);
          backplane.follow = async (channel, ...rest) => {
            if (isAway && channel === 'sport') throw new SseError(code, 'Not now.');
            return follow(channel, ...rest);
          };
          return { backplane };
        },
      },
    });
    const { hub, url } = app;
    const client = await clientOfBoth(app);
    client.drop();
    await untilSubscribers(hub, 'sport', 0);
    isAway = true;
    const turnedAway = await listen(`${url}/both`, { lastEventId: client.lastEventId });
    expect(await turnedAway.ended()).toBe('ended');
    isAway = false;
    await say(hub, 'sport', 'missed');
    expect(await onReturn(app, turnedAway.lastEventId)).toEqual(['missed', 'live']);
  });

  it.each(['a goodbye', 'an error'])(
    'that is read still when the other one is over, at %s after events that it does not want',
    async (how) => {
      const end = new Subject<void>();
      let seen: unknown;
      const filter = ({ data }: SseEvent): boolean => {
        seen = data;
        return data !== 'hidden';
      };
      const app = await start((hub) => hub.stream(['news', 'sport'], { filter }).pipe(takeUntil(end)));
      const { hub } = app;
      const client = await clientOfBoth(app);
      await hub.complete('news');
      await say(hub, 'sport', 'hidden');
      await eventually(() => seen === 'hidden');
      if (how === 'an error') end.error(new Error('The model is away.'));
      else end.next();
      expect(await client.ended()).toBe('ended');
      await say(hub, 'sport', 'missed');
      expect(await onReturn(app, client.lastEventId)).toEqual(['missed', 'live']);
    },
  );

  it('that is read still when the other one is over, and a late stream that cannot be opened ends the response', async () => {
    const found = new Subject<void>();
    const app = await start(
      (hub) => merge(hub.stream(['news', 'sport']), found.pipe(mergeMap(() => hub.stream('third')))),
      { sse: { limits: { channelsPerConnection: 2 } } },
    );
    const { hub } = app;
    const client = await clientOfBoth(app);
    await hub.complete('news');
    await hub.publish('sport', { comment: 'still working' });
    await client.untilComment('still working');
    found.next();
    expect((await client.rest()).at(-1)!.type).toBe('error');
    await say(hub, 'sport', 'missed');
    expect(await onReturn(app, client.lastEventId)).toEqual(['missed', 'live']);
  });

  it('beside what an operator holds of another one, after both were left', async () => {
    const release = new Subject<void>();
    let held = 0;
    const app = await start((hub) =>
      hub.stream(['news', 'sport']).pipe(
        takeWhile(({ type }) => type !== 'done', true),
        tap(() => held++),
        delayWhen(() => release),
      ),
    );
    const { hub, url } = app;
    const client = await listen(`${url}/events`);
    await client.untilId();
    await say(hub, 'sport', 'first');
    await eventually(() => held === 1);
    await hub.publish('news', { type: 'done', data: 'last' });
    await eventually(() => held === 2);
    release.next();
    expect(dataOf(await client.rest())).toEqual(['first', 'last']);
    await say(hub, 'sport', 'missed');
    expect(await onReturn(app, client.lastEventId)).toEqual(['missed', 'live']);
  });

  it('that was read before another: it is told of no gap', async () => {
    const app = await start((hub) => concat(hub.stream('news').pipe(take(1)), hub.stream('sport')));
    const { hub, url } = app;
    const first = await listen(`${url}/events`);
    await first.untilId();
    await say(hub, 'news', '1');
    await first.next();
    await untilSubscribers(hub, 'sport', 1);
    await say(hub, 'sport', '2');
    await first.next();
    first.drop();
    const client = await listen(`${url}/events`, { lastEventId: first.lastEventId });
    await client.untilId();
    await say(hub, 'sport', '3');
    await say(hub, 'news', '4');
    expect(dataOf(await client.take(2))).toEqual(['4', '3']);
  });
});

it('the last event of a stream that is left takes its place, although it is a Promise', async () => {
  const { hub, url } = await start((hub) =>
    hub.stream('news').pipe(
      takeWhile(({ type }) => type !== 'done', true),
      map(({ data }) => new Promise((resolve) => setImmediate(resolve, { data: data as unknown }))),
    ),
  );
  const client = await listen(`${url}/events`);
  await client.untilId();
  const ids = [await say(hub, 'news', 'first'), await hub.publish('news', { type: 'done', data: 'last' })];
  expect((await client.rest()).map(({ id }) => id)).toEqual(ids);
});

it('what waits for a Promise when a stream fails is not sent after the error, and comes again', async () => {
  const fail = new Subject<void>();
  const answered = new Deferred();
  let asked = 0;
  const { hub, url } = await start((hub) =>
    merge(
      hub.stream('news').pipe(
        map(async ({ data }) => {
          asked++;
          await answered.promise;
          return { data: data as unknown };
        }),
      ),
      fail.pipe(
        map(() => {
          throw new Error('The model is away.');
        }),
      ),
    ),
  );
  const client = await listen(`${url}/events`);
  await client.untilId();
  await say(hub, 'news', 'asked about');
  await eventually(() => asked === 1);
  fail.next();
  answered.resolve();
  expect((await client.rest()).map(({ type }) => type)).toEqual(['error']);
  const again = await listen(`${url}/events`, { lastEventId: client.lastEventId });
  expect((await again.next()).text).toBe('asked about');
});

it('ids of the application do not take the place of a position in a stream that was left', async () => {
  const own = new Subject<{ id: string; data: string }>();
  const { hub, url } = await start((hub) => merge(hub.stream('news').pipe(take(1)), own));
  const client = await listen(`${url}/events`);
  await client.untilId();
  const id = await say(hub, 'news', 'first');
  await client.next();
  own.next({ id: 'own', data: 'of the application' });
  expect(await client.next()).toMatchObject({ id: undefined, text: 'of the application' });
  expect(client.lastEventId).toBe(id);
});
