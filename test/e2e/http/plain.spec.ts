import { Injectable } from '@nestjs/common';
import { describe, expect, it } from '@jest/globals';
import { concat, concatMap, map, merge, NEVER, of } from 'rxjs';
import { AuthorizeChannel } from '../../../src/sse/index.js';
import type { SseHub, StreamFailure } from '../../../src/sse/index.js';
import type { TestStream } from '../../../src/sse/testing/index.js';
import { startSseApp, untilConnections, type Route, type SseAppOptions } from '../../support/sse-app.js';
import { answerTo, listen } from '../../support/open-stream.js';

const whole = (hub: SseHub) => hub.stream('news', { begin: 'anew', replay: 'all' });
const error = ({ reason, message }: StreamFailure) => ({ data: { reason, message } });
const start = (route: Route, more: SseAppOptions = {}) =>
  startSseApp({ routes: { events: route }, routeOptions: { plain: true }, ...more });
const dataOf = async (client: TestStream): Promise<unknown[]> =>
  (await client.rest()).map(({ data }) => data as unknown);

describe('a plain route that cannot give its stream to the end', () => {
  it('sends the last event that "error" makes of a gap, and nothing after it', async () => {
    const routeOptions = { plain: { error } };
    const { hub, url } = await start(whole, { routeOptions, sse: { history: { count: 2 } } });
    for (const n of [1, 2, 3]) await hub.publish('news', { data: n });
    // The second finds the channel open: its start is in the turn of the request.
    const follower = hub.stream('news').subscribe();
    for (let i = 0; i < 2; i++) {
      const client = await listen(`${url}/events`);
      expect(await dataOf(client)).toEqual([{ reason: 'gap', message: expect.any(String) }]);
      expect(await client.ended()).toBe('ended');
    }
    follower.unsubscribe();
  });

  it('sends the last event that "error" makes of a failure', async () => {
    const broken: Route = (hub) =>
      hub.stream('news').pipe(
        map(({ data }) => {
          if (data === 2) throw new Error('secret');
          return { data };
        }),
      );
    const { hub, url } = await start(broken, { routeOptions: { plain: { error } } });
    const client = await listen(`${url}/events`);
    for (const n of [1, 2, 3]) await hub.publish('news', { data: n });
    expect(await dataOf(client)).toEqual([1, { reason: 'failed', message: 'Internal server error' }]);
  });

  it('is cut where "error" makes no event, or throws', async () => {
    const faulty = () => {
      throw new Error('faulty');
    };
    for (const error of [() => undefined, faulty]) {
      const { hub, url } = await start(whole, {
        routeOptions: { plain: { error } },
        sse: { history: { count: 1 } },
      });
      for (const n of [1, 2]) await hub.publish('news', { data: n });
      const client = await listen(`${url}/events`).catch(() => undefined);
      expect((await client?.ended()) ?? 'broken').toBe('broken');
    }
  });

  it.each<[string, (app: { hub: SseHub; close: () => Promise<void> }) => unknown]>([
    ['the application closes', ({ close }) => close()],
    ['it is disconnected', ({ hub }) => hub.disconnect({ channel: 'news' })],
    ['its channel is revoked', ({ hub }) => hub.revoke('ann', 'news')],
  ])('is cut when %s, after what was published', async (_, end) => {
    const app = await start(whole, { sse: { identify: () => ({ user: 'ann' }) } });
    const client = await listen(`${app.url}/events`);
    await app.hub.publish('news', { data: 1 });
    await client.next();
    await end(app);
    expect(await client.ended()).toBe('broken');
  });

  it('ends cleanly when the application closes after its last event', async () => {
    const { hub, url, close } = await start(whole);
    const client = await listen(`${url}/events`);
    await hub.publish('news', { data: 1 });
    await hub.complete('news');
    await close();
    expect([await client.ended(), client.events.length]).toEqual(['ended', 1]);
  });
});

describe('a plain route that is ended from outside with an answer that is stored to its end', () => {
  const never = async (): Promise<unknown> => new Promise(() => undefined);
  const firstOnly = <Event extends { data?: unknown }>(event: Event) =>
    event.data === 1 ? Promise.resolve(event) : never();

  it.each<[string, Route]>([
    ['works on its events one after the other', (hub) => whole(hub).pipe(concatMap(firstOnly))],
    ['awaits a Promise, and has completed', () => of({ data: 1 }, { data: 2 }).pipe(map(firstOnly))],
    ['has another source', (hub) => merge(whole(hub), NEVER)],
  ])('is cut where it %s', async (_, route) => {
    const { hub, url } = await start(route);
    for (const n of [1, 2]) await hub.publish('news', { data: n });
    await hub.complete('news');
    const client = await listen(`${url}/events`);
    await client.next();
    await hub.disconnect({});
    expect(await client.ended()).toBe('broken');
  });
});

describe('a plain route that turns a client away', () => {
  it('answers 503, as an empty stream would be taken for the whole', async () => {
    const { hub, url } = await start(whole, { sse: { limits: { connections: 1 } } });
    const first = await answerTo(`${url}/events`);
    await untilConnections(hub, 1);
    const second = await answerTo(`${url}/events`);
    expect([second.status, Number(second.headers['retry-after'])]).toEqual([503, expect.any(Number)]);
    expect(first.status).toBe(200);
  });

  it('answers 503 when the application closes before the stream is open', async () => {
    let asked = (): void => undefined;
    const isAsked = new Promise<void>((resolve) => (asked = resolve));
    @Injectable()
    class Slow {
      @AuthorizeChannel('news')
      mayRead(): Promise<boolean> {
        asked();
        return new Promise(() => undefined);
      }
    }
    const { url, close } = await start(whole, { providers: [Slow] });
    const client = answerTo(`${url}/events`);
    await isAsked;
    await close();
    expect((await client).status).toBe(503);
  });
});

it('begins anew where a stream says so, whatever position the client sent', async () => {
  const { hub, url } = await start(whole);
  const ids = [];
  for (const n of [1, 2]) ids.push(await hub.publish('news', { data: n }));
  for (const lastEventId of [ids[1]!, `news=${ids[1]!}`, 'abc-1']) {
    const client = await listen(`${url}/events`, { lastEventId });
    expect((await client.take(2)).map(({ text }) => text)).toEqual(['1', '2']);
    client.close();
  }
});

it('sends the headers of a plain route', async () => {
  const { url } = await start(() => concat(of({ data: 1 }), NEVER), {
    routeOptions: { plain: { headers: { 'x-format': 'v1' } } },
  });
  expect((await answerTo(`${url}/events`)).headers['x-format']).toBe('v1');
});
