import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import { delay, filter, merge, takeUntil, tap } from 'rxjs';
import type { SseHub, SseModuleOptions } from '../../../src/sse/index.js';
import type { TestEvent } from '../../../src/sse/testing/index.js';
import { eventually } from '../../support/eventually.js';
import { startSseApp, untilConnections } from '../../support/sse-app.js';
import type { Route, SseApp } from '../../support/sse-app.js';
import { answerTo, listen } from '../../support/open-stream.js';
import { Page } from './event-source.js';

const routes: Record<string, Route> = {
  one: (hub) => hub.stream('a'),
  piped: (hub) => hub.stream('a').pipe(filter(({ data }) => data !== 'hidden')),
  both: (hub) => hub.stream(['a', 'b']),
  brief: (hub) => merge(hub.stream('a'), hub.stream('b')).pipe(takeUntil(turn())),
  merged: (hub) => merge(hub.stream('a'), hub.stream('b')),
};
const start = (sse: SseModuleOptions = {}): Promise<SseApp> => startSseApp({ routes, sse });
const dataOf = (events: readonly Pick<TestEvent, 'text'>[]): string[] => events.map(({ text }) => text);
const publish = (hub: SseHub, ...texts: string[]): Promise<string[]> =>
  Promise.all(texts.map((data) => hub.publish(data.charAt(0), { data })));

describe.each(['one', 'piped'])('a completed channel, streamed by /%s', (path) => {
  it('gives those who listen everything, then the end, and answers 204 when they come back', async () => {
    const { hub, url } = await start();
    const client = await listen(`${url}/${path}`, { reconnect: 0 });
    void publish(hub, 'a1', 'a2');
    await hub.complete('a');
    expect(dataOf(await client.rest())).toEqual(['a1', 'a2']);
    expect(await client.ended()).toBe('refused');
    expect(client).toMatchObject({ status: 204, connected: 1 });
  });

  it('gives a client that is behind the rest, then the end', async () => {
    const { hub, url } = await start();
    const [first] = await publish(hub, 'a1', 'a2', 'a3');
    await hub.complete('a');
    const client = await listen(`${url}/${path}`, { lastEventId: first!, reconnect: 0 });
    expect(client.status).toBe(200);
    expect(dataOf(await client.rest())).toEqual(['a2', 'a3']);
    expect(client.status).toBe(204);
  });

  it('answers 204 to a new client, unless it is to have events of the past', async () => {
    const { hub, url } = await start();
    const other = await start({ replay: 'all' });
    for (const app of [hub, other.hub]) {
      await publish(app, 'a1');
      await app.complete('a');
    }
    expect((await answerTo(`${url}/${path}`)).status).toBe(204);
    const replayed = await listen(`${other.url}/${path}`);
    expect(replayed.status).toBe(200);
    expect(dataOf(await replayed.rest())).toEqual(['a1']);
  });

  it('tells a client of a gap before the end', async () => {
    const { hub, url } = await start({ history: { count: 1 } });
    const [first] = await publish(hub, 'a1', 'a2', 'a3');
    await hub.complete('a');
    const client = await listen(`${url}/${path}`, { lastEventId: first!, reconnect: 0 });
    const [gap, ...rest] = await client.rest();
    expect(gap!.data).toMatchObject({ reason: 'evicted', requested: first });
    expect(dataOf(rest)).toEqual(['a3']);
    expect(client.status).toBe(204);
  });

  it('tells a client of a gap although nothing is left, and only then sends it away', async () => {
    const { hub, url } = await start();
    const [first] = await publish(hub, 'a1', 'a2');
    await hub.purge('a');
    await hub.complete('a');
    const client = await listen(`${url}/${path}`, { lastEventId: first!, reconnect: 0 });
    const events = await client.rest();
    expect(events.map(({ type }) => type)).toEqual(['gap']);
    expect(client).toMatchObject({ status: 204, connected: 1 });
  });
});

describe('a completed channel', () => {
  it('is not over for a client that is cut off while an operator holds the last of it', async () => {
    let cuts = 0;
    const { hub, url } = await startSseApp({
      routes: {
        held: (hub) => {
          const cut = (): void => {
            if (++cuts === 1) void hub.disconnect({ channel: 'a' });
          };
          return hub.stream('a').pipe(tap(cut), delay(5));
        },
      },
    });
    const [first] = await publish(hub, 'a1', 'a2');
    await hub.complete('a');
    const client = await listen(`${url}/held`, { lastEventId: first!, reconnect: 0 });
    expect(dataOf(await client.rest())).toEqual(['a2']);
    expect(client.status).toBe(204);
  });

  it('ends an EventSource for good', async () => {
    const { hub, url } = await start({ retry: 1 });
    const page = await Page.open(`${url}/one`);
    await publish(hub, 'a1');
    await hub.complete('a');
    expect(dataOf(await page.take(1))).toEqual(['a1']);
    await eventually(() => page.source.readyState === page.source.CLOSED);
    await untilConnections(hub, 0);
  });

  it('refuses to be published to, and nothing of it reaches anyone', async () => {
    const { hub, url } = await start();
    const [first] = await publish(hub, 'a1');
    const late = await listen(`${url}/both`);
    await hub.complete('a');
    await expect(hub.publish('a', { data: 'a2' })).rejects.toMatchObject({ code: 'CHANNEL_COMPLETED' });
    await publish(hub, 'b1');
    expect((await late.next()).text).toBe('b1');
    expect((await hub.history('a')).events.map(({ id }) => id)).toEqual([first]);
  });

  it('may be completed twice', async () => {
    const { hub } = await start();
    await hub.complete('a');
    await expect(hub.complete('a')).resolves.toBeUndefined();
  });

  it('is forgotten after its ttl: then it begins anew, as another log', async () => {
    const { hub, url } = await start({ ttl: 20 });
    const [first] = await publish(hub, 'a1');
    await hub.complete('a');
    await eventually(() => hub.stats().channels === 0);
    const client = await listen(`${url}/one`, { lastEventId: first! });
    const [again] = await publish(hub, 'a again');
    expect((await client.next()).data).toMatchObject({ reason: 'unknown', requested: first });
    expect(await client.next()).toMatchObject({ id: again, text: 'a again' });
    expect(again).not.toBe(first);
  });

  it('is what 204 is for: a stream that ends by itself, while its channel goes on, is answered 200', async () => {
    const { hub, url } = await start();
    const client = await listen(`${url}/brief`);
    expect(await client.ended()).toBe('ended');
    await hub.complete('a');
    expect((await answerTo(`${url}/brief`)).status).toBe(200);
    await hub.complete('b');
    expect((await answerTo(`${url}/brief`)).status).toBe(204);
  });

  it('that a filter has nothing left of is nothing left: 204', async () => {
    const { hub, url } = await start();
    const id = await hub.publish('a', { data: 'seen' });
    await hub.publish('a', { data: 'hidden' });
    await hub.complete('a');
    expect((await answerTo(`${url}/piped`, { lastEventId: id })).status).toBe(204);
  });
});

describe.each(['both', 'merged'])('several channels, streamed by /%s', (path) => {
  it('go on while one of them is not complete, and end when all are', async () => {
    const { hub, url } = await start();
    const client = await listen(`${url}/${path}`, { reconnect: 0 });
    await publish(hub, 'a1');
    await hub.complete('a');
    await publish(hub, 'b1');
    expect(dataOf(await client.take(2))).toEqual(['a1', 'b1']);
    await hub.complete('b');
    expect(await client.ended()).toBe('refused');
    expect(client).toMatchObject({ status: 204, connected: 1 });
  });

  it('resume the one that goes on, although the other is complete', async () => {
    const { hub, url } = await start();
    const client = await listen(`${url}/${path}`, { reconnect: 0 });
    await publish(hub, 'a1', 'b1');
    await client.take(2);
    client.drop();
    await publish(hub, 'a2', 'b2');
    await hub.complete('a');
    expect(dataOf(await client.take(2)).sort()).toEqual(['a2', 'b2']);
    client.drop();
    await publish(hub, 'b3');
    expect((await client.next()).text).toBe('b3');
  });

  it('do not begin the completed one again for a client that comes back', async () => {
    const { hub, url } = await start({ replay: 'all' });
    const client = await listen(`${url}/${path}`, { reconnect: 0 });
    await publish(hub, 'a1');
    await client.next();
    await hub.complete('a');
    await publish(hub, 'b1');
    expect((await client.next()).text).toBe('b1');
    client.drop();
    await client.untilConnected(2);
    await publish(hub, 'b2');
    expect((await client.next()).text).toBe('b2');
  });

  it('give a client that is behind in one of them the rest, then the end', async () => {
    const { hub, url } = await start();
    const [a1, , b2] = await publish(hub, 'a1', 'a2', 'b2');
    await Promise.all([hub.complete('a'), hub.complete('b')]);
    const client = await listen(`${url}/${path}`, { lastEventId: `a=${a1!}&b=${b2!}`, reconnect: 0 });
    expect(dataOf(await client.rest())).toEqual(['a2']);
    expect(client.status).toBe(204);
  });
});

describe('purge()', () => {
  it('goes unnoticed by those who had everything, and tells those who were behind of a gap', async () => {
    const { hub, url } = await start();
    const live = await listen(`${url}/one`);
    const [first] = await publish(hub, 'a1', 'a2');
    await live.take(2);
    await hub.purge('a');
    const behind = await listen(`${url}/one`, { lastEventId: first! });
    const [third] = await publish(hub, 'a3');
    expect(await live.next()).toMatchObject({ type: 'message', id: third });
    expect((await behind.next()).data).toMatchObject({ reason: 'evicted', requested: first });
    expect(await behind.next()).toMatchObject({ type: 'message', id: third });
  });

  it('leaves nothing to replay', async () => {
    const { hub, url } = await start({ replay: 'all' });
    await publish(hub, 'a1');
    await hub.purge('a');
    const client = await listen(`${url}/one`);
    await publish(hub, 'a2');
    expect((await client.next()).text).toBe('a2');
    expect(hub.stats()).toMatchObject({ historyEvents: 1 });
  });
});
