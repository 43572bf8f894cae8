import { describe, expect, it } from '@jest/globals';
import { concat, map, merge, NEVER, of, Subject, switchMap, take } from 'rxjs';
import type { SseHub } from '../../../src/sse/index.js';
import type { TestEvent } from '../../../src/sse/testing/index.js';
import { blocksOf } from '../../support/blocks.js';
import { eventually } from '../../support/eventually.js';
import { startSseApp } from '../../support/sse-app.js';
import type { Route } from '../../support/sse-app.js';
import { listen } from '../../support/open-stream.js';

const dataOf = (events: readonly TestEvent[]): string[] => events.map(({ text }) => text);

/** Publishes the texts, each to the channel that is its first letter. */
async function publish(hub: SseHub, ...texts: string[]): Promise<string[]> {
  return Promise.all(texts.map((data) => hub.publish(data.charAt(0), { data })));
}

describe.each<[string, Route]>([
  ['hub.stream([a, b])', (hub) => hub.stream(['a', 'b'])],
  ['merge(hub.stream(a), hub.stream(b))', (hub) => merge(hub.stream('a'), hub.stream('b'))],
  [
    'a merge with something else',
    (hub) => merge(hub.stream('a'), NEVER, hub.stream('b'), of({ comment: 'hello' })),
  ],
  [
    'a merge of the same channels twice',
    (hub) => merge(hub.stream(['a', 'b']), hub.stream('b').pipe(map(() => ({ comment: 'b' })))),
  ],
])('%s', (_, route) => {
  it('sends one position for each channel with every event, and in the opening block', async () => {
    const { hub, url } = await startSseApp({ routes: { events: route } });
    const [a1, b1] = await publish(hub, 'a1', 'b1');
    const client = await listen(`${url}/events`);
    expect(await client.untilId()).toBe(`a=${a1!}&b=${b1!}`);
    const [b2] = await publish(hub, 'b2');
    expect((await client.next()).id).toBe(`a=${a1!}&b=${b2!}`);
    const [a2] = await publish(hub, 'a2');
    expect((await client.next()).id).toBe(`a=${a2!}&b=${b2!}`);
  });

  it('resumes each channel where it was', async () => {
    const { hub, url } = await startSseApp({ routes: { events: route } });
    const first = await listen(`${url}/events`);
    await publish(hub, 'a1', 'b1', 'b2');
    await first.take(3);
    first.drop();
    await publish(hub, 'b3', 'a2', 'a3');
    const second = await listen(`${url}/events`, { lastEventId: first.lastEventId });
    await publish(hub, 'b4');
    expect(dataOf(await second.take(4)).sort()).toEqual(['a2', 'a3', 'b3', 'b4']);
    await publish(hub, 'a4');
    expect((await second.next()).text).toBe('a4');
  });

  it('leads to all events from wherever it was cut', async () => {
    const { hub, url } = await startSseApp({ routes: { events: route }, sse: { replay: 'all' } });
    const texts = ['a1', 'b1', 'a2', 'b2', 'a3', 'b3'];
    await publish(hub, ...texts);
    const whole = await listen(`${url}/events`);
    await whole.take(6);
    const received: string[] = [];
    for (const { event, id } of blocksOf(whole)) {
      if (event) received.push(event.text);
      if (id === undefined) continue;
      const client = await listen(`${url}/events`, { lastEventId: id });
      const left = texts.filter((text) => !received.includes(text)).sort();
      expect(dataOf(await client.take(left.length)).sort()).toEqual(left);
    }
  });
});

describe('the position that a client of several channels sends', () => {
  const both: Route = (hub) => hub.stream(['a', 'b']);

  it('belongs to the channel whose hash it has, if it is a bare one; the other has none', async () => {
    const { hub, url } = await startSseApp({ routes: { events: both } });
    const [, b1] = await publish(hub, 'a1', 'b1', 'b2');
    const client = await listen(`${url}/events`, { lastEventId: b1! });
    await publish(hub, 'a2');
    expect(dataOf(await client.take(2))).toEqual(['b2', 'a2']);
  });

  it('that names a channel no more streamed is read for the others', async () => {
    const { hub, url } = await startSseApp({ routes: { events: both } });
    const [a1, b1] = await publish(hub, 'a1', 'b1', 'a2', 'b2');
    const client = await listen(`${url}/events`, {
      lastEventId: `gone=7.zzzzzzzz&b=${b1!}&a=${a1!}`,
    });
    expect(dataOf(await client.take(2)).sort()).toEqual(['a2', 'b2']);
  });

  it('that leaves a channel out means that this one has its replay', async () => {
    const { hub, url } = await startSseApp({ routes: { events: both }, sse: { replay: 1 } });
    const [a1] = await publish(hub, 'a1', 'b1', 'b2', 'a2', 'a3');
    const client = await listen(`${url}/events`, { lastEventId: `a=${a1!}` });
    expect(dataOf(await client.take(3)).sort()).toEqual(['a2', 'a3', 'b2']);
  });

  it('names only one of them where the stream is of that one alone', async () => {
    const { hub, url } = await startSseApp({ routes: { events: (hub) => hub.stream('a') } });
    const [a1, b1] = await publish(hub, 'a1', 'b1', 'a2');
    const client = await listen(`${url}/events`, { lastEventId: `a=${a1!}&b=${b1!}` });
    expect((await client.next()).text).toBe('a2');
  });

  it("that is nobody's is a gap in each", async () => {
    const { hub, url } = await startSseApp({ routes: { events: both } });
    await publish(hub, 'a1', 'b1');
    const client = await listen(`${url}/events`, { lastEventId: 'zzz-7' });
    const gaps = (await client.take(4)).filter(({ type }) => type === 'gap').map(({ data }) => data);
    expect(gaps).toMatchObject([
      { channel: 'a', reason: 'unknown', requested: 'zzz-7' },
      { channel: 'b', reason: 'unknown', requested: 'zzz-7' },
    ]);
  });
});

describe('a stream that goes from channel to channel', () => {
  /** Streams the channel that was last named on the channel `switch`. */
  const switching: Route = (hub) =>
    hub.stream('switch', { replay: 1 }).pipe(switchMap(({ data }) => hub.stream(data)));

  it('has each event of the channel that it is on', async () => {
    const { hub, url } = await startSseApp({ routes: { events: switching } });
    const client = await listen(`${url}/events`);
    for (const channel of ['a', 'b', 'c']) {
      await hub.publish('switch', { data: channel });
      await client.untilId((id) => id.includes(`&${channel}=`));
      await publish(hub, `${channel}1`, `${channel}2`);
      expect(dataOf(await client.take(2))).toEqual([`${channel}1`, `${channel}2`]);
    }
  });

  it('goes on where it left a channel when it comes back to it', async () => {
    const { hub, url } = await startSseApp({ routes: { events: switching } });
    const client = await listen(`${url}/events`);
    await hub.publish('switch', { data: 'a' });
    await client.untilId((id) => id.includes('&a='));
    await publish(hub, 'a1');
    expect((await client.next()).text).toBe('a1');
    await hub.publish('switch', { data: 'b' });
    await client.untilId((id) => id.includes('&b='));
    await publish(hub, 'a2', 'b1', 'a3');
    expect((await client.next()).text).toBe('b1');
    await hub.publish('switch', { data: 'a' });
    expect(dataOf(await client.take(2))).toEqual(['a2', 'a3']);
  });

  it('may be steered by anything, with streams that the method made', async () => {
    const steer = new Subject<number>();
    const route: Route = (hub) => {
      const streams = [hub.stream('a'), hub.stream('b')];
      return steer.pipe(switchMap((i) => streams[i]!));
    };
    const { hub, url } = await startSseApp({ routes: { events: route } });
    const client = await listen(`${url}/events`);
    const texts: string[] = [];
    for (const [i, channel] of [
      [0, 'a'],
      [1, 'b'],
      [0, 'a'],
    ] as const) {
      const had = client.raw;
      steer.next(i);
      await eventually(() => client.raw !== had);
      await publish(hub, `${channel} live`);
      texts.push((await client.next()).text);
    }
    expect(texts).toEqual(['a live', 'b live', 'a live']);
  });

  it('that is a concatenation goes on with the next when one is over', async () => {
    const route: Route = (hub) => concat(hub.stream('a').pipe(take(2)), hub.stream('b'));
    const { hub, url } = await startSseApp({ routes: { events: route } });
    const client = await listen(`${url}/events`);
    await publish(hub, 'a1', 'a2', 'a3');
    expect(dataOf(await client.take(2))).toEqual(['a1', 'a2']);
    await client.untilId((id) => id.includes('b='));
    await publish(hub, 'b1');
    expect((await client.next()).text).toBe('b1');
  });
});
