import { describe, expect, it, jest } from '@jest/globals';
import { filter } from 'rxjs';
import { whenTestEnds } from '../../support/clean-up.js';
import { startSseApp, untilConnections } from '../../support/sse-app.js';
import type { Route } from '../../support/sse-app.js';
import { SseClient } from '../../support/sse-client.js';
import { Page } from './event-source.js';

const news: Route = (hub) => hub.stream('news');
const openMany = (count: number, url: string): Promise<SseClient[]> =>
  Promise.all(Array.from({ length: count }, () => SseClient.open(url)));

describe('fan-out', () => {
  it('gives every event to every client, with the same bytes and in the order of publishing', async () => {
    const { hub, url } = await startSseApp({ routes: { events: news } });
    const clients = await openMany(200, `${url}/events`);
    const ids = await Promise.all(Array.from({ length: 50 }, (_, i) => hub.publish('news', { data: { i } })));
    for (const client of clients) await client.take(50);
    const [first, ...others] = clients.map(({ blocks }) => blocks.map(({ raw }) => raw).join('\n\n'));
    expect(new Set(others)).toEqual(new Set([first]));
    expect(clients[0]!.events).toEqual(
      ids.map((id, i) => ({ type: 'message', id, data: JSON.stringify({ i }) })),
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
      expect(await page.take(3)).toEqual([
        { type: 'paid', id: ids[0], data: 'a\nb' },
        { type: 'message', id: ids[1], data: '😀' },
        { type: 'shipped', id: ids[2], data: '' },
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
    const late = await SseClient.open(`${url}/events`, { lastEventId: clients[0]!.lastEventId });
    for (const client of [...clients, late])
      expect((await client.next()).data).toBe('{"text":"encoded once"}');
    const encodings = stringify.mock.results.filter(({ value }) => String(value).includes('encoded once'));
    expect(encodings).toHaveLength(1);
  });

  it('keeps channels apart', async () => {
    const route: Route = (hub, { params }) => hub.stream(`rooms/${params.room}`);
    const { hub, url } = await startSseApp({ routes: { 'rooms/:room': route } });
    const [red, blue] = await Promise.all([
      SseClient.open(`${url}/rooms/red`),
      SseClient.open(`${url}/rooms/blue`),
    ]);
    await hub.publish('rooms/red', { data: 'for red' });
    await hub.publish('rooms/blue', { data: 'for blue' });
    await hub.publish('rooms/red', { data: 'end' });
    expect((await red.take(2)).map(({ data }) => data)).toEqual(['for red', 'end']);
    expect((await blue.next()).data).toBe('for blue');
  });

  it('goes on for the others when clients leave by FIN and by RST, and forgets those that left', async () => {
    const { hub, url } = await startSseApp({ routes: { events: news } });
    const clients = await openMany(60, `${url}/events`);
    const stay = clients.filter((_, i) => i % 3 === 0);
    for (const [i, client] of clients.entries()) {
      if (i % 3 === 1) client.destroy();
      if (i % 3 === 2) client.reset();
    }
    await hub.publish('news', { data: 'still there?' });
    for (const client of stay) expect((await client.next()).data).toBe('still there?');
    await untilConnections(hub, stay.length);
    expect(await hub.subscriberCount('news')).toBe(stay.length);
  });
});
