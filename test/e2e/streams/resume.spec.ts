import { describe, expect, it } from '@jest/globals';
import type { SseHub } from '../../../src/sse/index.js';
import type { TestEvent } from '../../../src/sse/testing/index.js';
import { blocksOf } from '../../support/blocks.js';
import { startSseApp } from '../../support/sse-app.js';
import type { Route } from '../../support/sse-app.js';
import { listen } from '../../support/open-stream.js';
import { Page } from './event-source.js';

const news: Route = (hub) => hub.stream('news');
const dataOf = (events: readonly Pick<TestEvent, 'text'>[]): string[] => events.map(({ text }) => text);

/** Publishes texts and gives their ids. */
const publish = (hub: SseHub, ...texts: string[]): Promise<string[]> =>
  Promise.all(texts.map((data) => hub.publish('news', { data })));

describe('resuming', () => {
  it('gives a client that comes back what it missed, and then what is published, each once', async () => {
    const { hub, url } = await startSseApp({ routes: { events: news } });
    const first = await listen(`${url}/events`);
    await publish(hub, 'a', 'b');
    await first.take(2);
    first.close();
    const missed = await publish(hub, 'c', 'd');
    const second = await listen(`${url}/events`, { lastEventId: first.lastEventId });
    const live = await publish(hub, 'e');
    const events = await second.take(3);
    expect(dataOf(events)).toEqual(['c', 'd', 'e']);
    expect(events.map(({ id }) => id)).toEqual([...missed, ...live]);
  });

  it('begins every response with retry: and the present position', async () => {
    const { hub, url } = await startSseApp({ routes: { events: news }, sse: { retry: 1234 } });
    const [id] = await publish(hub, 'a');
    const client = await listen(`${url}/events`);
    await client.untilId(id);
    expect([client.retry, client.events]).toEqual([1234, []]);
  });

  it('resumes a client that had no event yet', async () => {
    const { hub, url } = await startSseApp({ routes: { events: news } });
    const client = await listen(`${url}/events`, { reconnect: 0 });
    await client.untilId();
    client.drop();
    await publish(hub, 'a', 'b');
    expect(dataOf(await client.take(2))).toEqual(['a', 'b']);
  });

  it('gives an EventSource whose connection ends every event once, although it is not told of any', async () => {
    const { hub, url } = await startSseApp({ routes: { events: news }, sse: { retry: 1 } });
    const page = await Page.open(`${url}/events`);
    for (const round of ['1', '2', '3']) {
      await publish(hub, `${round} before`);
      const reopened = page.is('open');
      await hub.disconnect({});
      await publish(hub, `${round} while away`);
      await reopened;
      await publish(hub, `${round} after`);
      const events = dataOf(await page.take(3));
      expect(events).toEqual([`${round} before`, `${round} while away`, `${round} after`]);
    }
  });

  it.each<[string, 'none' | 'all' | number | undefined, string[]]>([
    ['nothing by default', undefined, []],
    ["nothing with 'none'", 'none', []],
    ["everything with 'all'", 'all', ['a', 'b', 'c']],
    ['the last n with n', 2, ['b', 'c']],
    ['all there is with an n beyond it', 99, ['a', 'b', 'c']],
    ['nothing with 0', 0, []],
  ])('gives a client without a position %s, from the past', async (_, replay, expected) => {
    const sse = replay === undefined ? {} : { replay };
    const { hub, url } = await startSseApp({ routes: { events: news }, sse });
    await publish(hub, 'a', 'b', 'c');
    const client = await listen(`${url}/events`);
    await publish(hub, 'live');
    expect(dataOf(await client.take(expected.length + 1))).toEqual([...expected, 'live']);
  });

  it("takes the stream's replay before the channel's, and a position before both", async () => {
    const all: Route = (hub) => hub.stream('news', { replay: 'all' });
    const { hub, url } = await startSseApp({ routes: { events: all }, sse: { replay: 1 } });
    const [a] = await publish(hub, 'a', 'b', 'c');
    const fresh = await listen(`${url}/events`);
    expect(dataOf(await fresh.take(3))).toEqual(['a', 'b', 'c']);
    const resumed = await listen(`${url}/events`, { lastEventId: a! });
    expect(dataOf(await resumed.take(2))).toEqual(['b', 'c']);
  });

  it.each<[string, boolean, boolean, string[]]>([
    ['the header', true, true, ['d']],
    ['the query parameter where there is no header', false, true, ['c', 'd']],
    ['the option where there is neither', false, false, ['b', 'c', 'd']],
  ])('takes the position from %s', async (_, inHeader, inQuery, expected) => {
    let option = '';
    const route: Route = (hub) => hub.stream('news', { lastEventId: option });
    const { hub, url } = await startSseApp({ routes: { events: route } });
    const [a, b, c] = await publish(hub, 'a', 'b', 'c', 'd');
    option = a!;
    const query = inQuery ? `?lastEventId=${b!}` : '';
    const client = await listen(`${url}/events${query}`, inHeader ? { lastEventId: c! } : {});
    expect(dataOf(await client.take(expected.length))).toEqual(expected);
  });

  it('goes on from the position of a page that rendered the history, over reconnects too', async () => {
    let rendered = '';
    const route: Route = (hub) => hub.stream('news', { lastEventId: rendered });
    const { hub, url } = await startSseApp({ routes: { events: route } });
    await publish(hub, 'a', 'b');
    rendered = (await hub.history('news')).position;
    const client = await listen(`${url}/events`, { reconnect: 0 });
    await publish(hub, 'c');
    await client.next();
    client.drop('fin');
    await publish(hub, 'd');
    expect((await client.next()).text).toBe('d');
  });

  it('leads to all events from wherever the stream was cut, whatever the client had received', async () => {
    const { hub, url } = await startSseApp({ routes: { events: news }, sse: { replay: 'all' } });
    const texts = Array.from({ length: 10 }, (_, i) => `event ${i}`);
    await publish(hub, ...texts);
    const whole = await listen(`${url}/events`);
    await whole.take(10);
    let received = 0;
    for (const block of blocksOf(whole)) {
      received += block.event ? 1 : 0;
      const client = await listen(`${url}/events`, { lastEventId: block.id! });
      expect(dataOf(await client.take(10 - received))).toEqual(texts.slice(received));
    }
  });

  it('keeps the order of the calls, also when nobody awaits them', async () => {
    const route: Route = (hub) => hub.stream(['news', 'sport']);
    const { hub, url } = await startSseApp({ routes: { events: route } });
    const client = await listen(`${url}/events`);
    const published: Promise<string>[] = [];
    for (let i = 0; i < 40; i++) {
      published.push(
        hub.publish('news', { type: 'news', data: i }),
        hub.publish('sport', { type: 'sport', data: i }),
      );
    }
    await Promise.all(published);
    const events = await client.take(80);
    for (const type of ['news', 'sport']) {
      const numbers = events.filter((event) => event.type === type).map(({ text }) => Number(text));
      expect(numbers).toEqual(Array.from({ length: 40 }, (_, i) => i));
    }
  });

  it.each([
    ['of small events', 2_000, 10],
    ['of events that do not fit into the socket at once', 2_000, 2_000],
  ])(
    'loses nothing of a burst %s in one turn, longer than the history, for a client that reads',
    async (_, count, size) => {
      const { hub, url } = await startSseApp({ routes: { events: news }, sse: { history: { count: 100 } } });
      const client = await listen(`${url}/events`);
      const data = 'x'.repeat(size);
      for (let i = 0; i < count; i++) void hub.publish('news', { type: String(i), data });
      const types = (await client.take(count)).map(({ type }) => type);
      expect(types).toEqual(Array.from({ length: count }, (__, i) => String(i)));
    },
  );
});
