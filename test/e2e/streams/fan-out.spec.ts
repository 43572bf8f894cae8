import { describe, expect, it, jest } from '@jest/globals';
import { filter } from 'rxjs';
import type { TestStream } from '../../../src/sse/testing/index.js';
import { whenTestEnds } from '../../support/clean-up.js';
import { startSseApp, untilConnections } from '../../support/sse-app.js';
import type { Route } from '../../support/sse-app.js';
import { listen } from '../../support/open-stream.js';
import { Page } from './event-source.js';

const news: Route = (hub) => hub.stream('news');
const openMany = (count: number, url: string): Promise<TestStream[]> =>
  Promise.all(Array.from({ length: count }, () => listen(url)));

describe('fan-out', () => {
  it('gives every event to every client, with the same bytes and in the order of publishing', async () => {
    const { hub, url } = await startSseApp({ routes: { events: news } });
    const clients = await openMany(200, `${url}/events`);
    const ids = await Promise.all(Array.from({ length: 50 }, (_, i) => hub.publish('news', { data: { i } })));
    for (const client of clients) await client.take(50);
    const [first, ...others] = clients.map(({ raw }) => raw);
    expect(new Set(others)).toEqual(new Set([first]));
    expect(clients[0]!.events).toMatchObject(
      ids.map((id, i) => ({ type: 'message', id, text: JSON.stringify({ i }) })),
    );
  });

  it('reaches an EventSource by the name of the event, with its id as the position', async () => {
    const { hub, url } = await startSseApp({ routes: { events: news } });
    const pages = await Promise.all(
      Array.from({ length: 10 }, () => Page.open(`${url}/events`, ['message', 'shipped', 'paid'])),
    );
    const events = [{ type: 'paid', data: 'a\nb' }, { data: '😀' }, { type: 'shipped' }] as const;
    const ids = await Promise.all(events.map((event) => hub.publish('news', event)));
    for (const page of pages) {
      expect(await page.take(3)).toMatchObject([
        { type: 'paid', id: ids[0], text: 'a\nb' },
        { type: 'message', id: ids[1], text: '😀' },
        { type: 'shipped', id: ids[2], text: '' },
      ]);
    }
  });

  it.each<[string, Route]>([
    ['one channel', news],
    ['one channel through an operator', (hub) => hub.stream('news').pipe(filter(() => true))],
    ['several channels', (hub) => hub.stream(['news', 'sport'])],
  ])('encodes an event once for all clients of %s', async (_, route) => {
    const { hub, url } = await startSseApp({ routes: { events: route } });
    const clients = await openMany(30, `${url}/events`);
    const stringify = jest.spyOn(JSON, 'stringify');
    whenTestEnds(() => stringify.mockRestore());
    await hub.publish('news', { data: { text: 'encoded once' } });
    const late = await listen(`${url}/events`, { lastEventId: clients[0]!.lastEventId });
    for (const client of [...clients, late])
      expect((await client.next()).text).toBe('{"text":"encoded once"}');
    const encodings = stringify.mock.results.filter(({ value }) => String(value).includes('encoded once'));
    expect(encodings).toHaveLength(1);
  });

  it('keeps channels apart', async () => {
    const route: Route = (hub, { params }) => hub.stream(`rooms/${params.room}`);
    const { hub, url } = await startSseApp({ routes: { 'rooms/:room': route } });
    const [red, blue] = await Promise.all([listen(`${url}/rooms/red`), listen(`${url}/rooms/blue`)]);
    await hub.publish('rooms/red', { data: 'for red' });
    await hub.publish('rooms/blue', { data: 'for blue' });
    await hub.publish('rooms/red', { data: 'end' });
    expect((await red.take(2)).map(({ text }) => text)).toEqual(['for red', 'end']);
    expect((await blue.next()).text).toBe('for blue');
  });

  it('goes on for the others when clients leave by FIN and by RST, and forgets those that left', async () => {
    const { hub, url } = await startSseApp({ routes: { events: news } });
    const clients = await openMany(60, `${url}/events`);
    const stay = clients.filter((_, i) => i % 3 === 0);
    for (const [i, client] of clients.entries()) {
      if (i % 3 === 1) client.drop('fin');
      if (i % 3 === 2) client.drop();
    }
    await hub.publish('news', { data: 'still there?' });
    for (const client of stay) expect((await client.next()).text).toBe('still there?');
    await untilConnections(hub, stay.length);
    expect(await hub.subscriberCount('news')).toBe(stay.length);
  });
});
