import { setImmediate as turn } from 'node:timers/promises';
import { NotFoundException } from '@nestjs/common';
import { describe, expect, it } from '@jest/globals';
import { from, Observable } from 'rxjs';
import { z } from 'zod';
import { defineChannel, SseModule } from '../../../src/sse/index.js';
import type { SseHub } from '../../../src/sse/index.js';
import type { TestEvent } from '../../../src/sse/testing/index.js';
import { eventually } from '../../support/eventually.js';
import { startSseApp, type SseApp, type SseAppOptions } from '../../support/sse-app.js';
import { listen } from '../../support/open-stream.js';
import { Feed } from '../streams/feed.js';

const routes = { a: (hub: SseHub) => hub.stream('a', { replay: 'all' }) };
const start = (options: SseAppOptions = {}): Promise<SseApp> => startSseApp({ routes, ...options });
const dataOf = (events: readonly TestEvent[]): string[] => events.map(({ text }) => text);
const kept = async (hub: SseHub): Promise<unknown[]> =>
  (await hub.history('a')).events.map(({ type = 'message', data }) =>
    type === 'message' ? data : { type, data },
  );

async function* words(...texts: unknown[]): AsyncGenerator<{ data: unknown }, void, undefined> {
  for (const data of texts) yield { data };
}

describe('a source, piped into a channel,', () => {
  it('reaches who listens, in order, and ends for them when it ends', async () => {
    const { hub, url } = await start();
    const client = await listen(`${url}/a`, { reconnect: 0 });
    expect(await hub.pipe('a', words('one', 'two', { three: 3 }))).toBe(3);
    expect(dataOf(await client.rest())).toEqual(['one', 'two', '{"three":3}']);
    expect(client).toMatchObject({ status: 204, connected: 1 });
  });

  it('goes on in the middle for a client that lost its connection, and is there from the start for a late one', async () => {
    const { hub, url } = await start();
    const feed = new Feed();
    const piped = hub.pipe('a', feed);
    const client = await listen(`${url}/a`, { reconnect: 0 });
    feed.say('one');
    feed.say('two');
    expect(dataOf(await client.take(2))).toEqual(['one', 'two']);
    client.drop();
    feed.say('three');
    await client.untilConnected(2);
    const late = await listen(`${url}/a`);
    feed.say('four');
    feed.end();
    expect(await piped).toBe(4);
    expect(dataOf(await client.rest())).toEqual(['three', 'four']);
    expect(dataOf(await late.rest())).toEqual(['one', 'two', 'three', 'four']);
  });

  it('tells of its error, also those who come later, and then ends', async () => {
    const { hub, url } = await start();
    const feed = new Feed();
    const client = await listen(`${url}/a`);
    const error = new NotFoundException('No such model');
    const piped = expect(hub.pipe('a', feed)).rejects.toBe(error);
    feed.say('one');
    feed.fail(error);
    await piped;
    const told = [
      expect.objectContaining({ type: 'message', data: 'one' }),
      expect.objectContaining({ type: 'error', data: 'No such model', id: expect.any(String) as unknown }),
    ];
    expect(await client.rest()).toEqual(told);
    expect(await (await listen(`${url}/a`)).rest()).toEqual(told);
  });
});

describe('a source that fails', () => {
  it('keeps to itself what is not for clients', async () => {
    const { hub } = await start();
    const feed = new Feed();
    const piped = expect(hub.pipe('a', feed)).rejects.toThrow('the password is 1234');
    feed.fail(new Error('the password is 1234'));
    await piped;
    expect(await kept(hub)).toEqual([{ type: 'error', data: 'Internal server error' }]);
  });

  it('may leave the channel open', async () => {
    const { hub } = await start();
    await hub.pipe('a', words('one'), { complete: false });
    await expect(hub.pipe('a', from(Promise.reject(new Error('x'))), { complete: false })).rejects.toThrow(
      'x',
    );
    await hub.publish('a', { data: 'two' });
    expect(await kept(hub)).toEqual(['one', { type: 'error', data: 'Internal server error' }, 'two']);
  });
});

describe('an async iterable', () => {
  it('is asked for an item when the one before is published', async () => {
    const { hub } = await start();
    const published: number[] = [];
    async function* source() {
      for (let data = 0; data < 5; data++) {
        published.push(hub.stats().published);
        yield { data };
      }
    }
    await hub.pipe('a', source());
    expect(published).toEqual([0, 1, 2, 3, 4]);
  });

  it('is left when an event cannot be published, which listeners are told', async () => {
    const A = defineChannel('a', { events: { message: z.string() } });
    const { hub } = await start({ imports: [SseModule.forFeature([A])] });
    const feed = new Feed();
    const piped = expect(hub.pipe('a', feed)).rejects.toMatchObject({ code: 'INVALID_DATA' });
    for (const word of ['one', 2, 'three']) feed.say(word);
    await piped;
    await eventually(() => feed.isLeft);
    expect(await kept(hub)).toEqual(['one', { type: 'error', data: 'Internal server error' }]);
  });

  it('is left when somebody else has completed the channel', async () => {
    const { hub } = await start();
    const feed = new Feed();
    const piped = expect(hub.pipe('a', feed)).rejects.toMatchObject({ code: 'CHANNEL_COMPLETED' });
    await hub.complete('a');
    feed.say('one');
    await piped;
    await eventually(() => feed.isLeft);
    expect(await kept(hub)).toEqual([]);
  });

  it('is left when it is aborted, and listeners are told that it was stopped', async () => {
    const { hub, url } = await start();
    const feed = new Feed();
    const controller = new AbortController();
    const client = await listen(`${url}/a`);
    const piped = expect(hub.pipe('a', feed, { signal: controller.signal })).rejects.toThrow('enough');
    feed.say('one');
    expect((await client.next()).text).toBe('one');
    controller.abort(new Error('enough'));
    await piped;
    expect(await client.rest()).toMatchObject([expect.objectContaining({ type: 'error', text: 'Stopped' })]);
    feed.say('two');
    await eventually(() => feed.isLeft);
    expect(await kept(hub)).toEqual(['one', { type: 'error', data: 'Stopped' }]);
  });

  it('is not waited for when it is aborted, nor published any more', async () => {
    const { hub } = await start();
    const controller = new AbortController();
    const answer: { give?: (data: unknown) => void } = {};
    async function* slow() {
      yield { data: await new Promise((resolve) => (answer.give = resolve)) };
    }
    const piped = hub.pipe('a', slow(), { signal: controller.signal, complete: false });
    await eventually(() => answer.give !== undefined);
    controller.abort();
    await expect(piped).rejects.toMatchObject({ name: 'AbortError' });
    answer.give!('late');
    await turn();
    expect(await kept(hub)).toEqual([{ type: 'error', data: 'Stopped' }]);
  });

  it('is not begun when it was aborted before', async () => {
    const { hub } = await start();
    let isBegun = false;
    const source = { [Symbol.asyncIterator]: () => ((isBegun = true), words('one')) };
    await expect(hub.pipe('a', source, { signal: AbortSignal.abort() })).rejects.toMatchObject({
      name: 'AbortError',
    });
    expect([isBegun, await kept(hub)]).toEqual([false, [{ type: 'error', data: 'Stopped' }]]);
  });

  it('leaves nothing behind on its signal', async () => {
    const { hub } = await start();
    const { signal } = new AbortController();
    let listeners = 0;
    const { addEventListener, removeEventListener } = signal;
    signal.addEventListener = (...args: Parameters<typeof addEventListener>) => {
      listeners++;
      addEventListener.apply(signal, args);
    };
    signal.removeEventListener = (...args: Parameters<typeof removeEventListener>) => {
      listeners--;
      removeEventListener.apply(signal, args);
    };
    await hub.pipe('a', words('one'), { signal });
    expect(listeners).toBe(0);
  });
});

describe('a function that gives a source', () => {
  it('gets a signal that is aborted when the pipe is over, with the cause where there is one', async () => {
    const { hub } = await start();
    const signals: AbortSignal[] = [];
    const source = (texts: string[], end: Promise<unknown>) => (signal: AbortSignal) => {
      signals.push(signal);
      return (async function* () {
        yield* words(...texts);
        await end;
      })();
    };
    expect(await hub.pipe('a', source(['one'], Promise.resolve()))).toBe(1);
    const abort = new AbortController();
    const stopped = hub.pipe('b', source(['one'], new Promise(() => undefined)), { signal: abort.signal });
    const enough = new Error('enough');
    abort.abort(enough);
    await expect(stopped).rejects.toBe(enough);
    expect(signals.map(({ aborted, reason }) => [aborted, reason === enough])).toEqual([
      [true, false],
      [true, true],
    ]);
  });

  it('fails the pipe where it throws, or gives no source', async () => {
    const { hub } = await start();
    const none = () => [{ data: 1 }] as never;
    await expect(hub.pipe('a', none)).rejects.toMatchObject({ code: 'INVALID_OPTIONS' });
    const faulty = () => {
      throw new Error('no model');
    };
    await expect(hub.pipe('b', faulty)).rejects.toThrow('no model');
    expect(await kept(hub)).toEqual([{ type: 'error', data: 'Internal server error' }]);
  });
});

describe('an Observable', () => {
  it('is published in order, and counted', async () => {
    const { hub } = await start();
    expect(await hub.pipe('a', from([{ data: 'one' }, { data: 'two' }]))).toBe(2);
    expect(await kept(hub)).toEqual(['one', 'two']);
    await expect(hub.publish('a', { data: 'x' })).rejects.toMatchObject({ code: 'CHANNEL_COMPLETED' });
  });

  it('is unsubscribed from when it is aborted, or an event is refused', async () => {
    const { hub } = await start();
    let open = 0;
    const source = (first: object): Observable<object> =>
      new Observable((subscriber) => {
        open++;
        subscriber.next(first);
        return () => open--;
      });
    const controller = new AbortController();
    const options = { signal: controller.signal, complete: false };
    const piped = expect(hub.pipe('a', source({ data: 'one' }), options)).rejects.toThrow();
    await eventually(() => hub.stats().published === 1);
    controller.abort();
    await piped;
    await expect(hub.pipe('a', source({}))).rejects.toMatchObject({ code: 'INVALID_EVENT' });
    expect(open).toBe(0);
  });

  it('fails when too much of it waits', async () => {
    const { hub } = await start();
    const source = from(Array.from({ length: 10_001 }, (_, data) => ({ data })));
    await expect(hub.pipe('a', source)).rejects.toMatchObject({ code: 'SOURCE_TOO_FAST' });
    const few = from([1, 2, 3].map((data) => ({ data })));
    await expect(hub.pipe('b', few, { maxPending: 2 })).rejects.toMatchObject({ code: 'SOURCE_TOO_FAST' });
    expect(await hub.pipe('c', few, { maxPending: 3 })).toBe(3);
  });
});

describe('when the application closes', () => {
  it('sources are stopped, and listeners are told before their streams end', async () => {
    const { hub, url, close } = await start();
    const feed = new Feed();
    const client = await listen(`${url}/a`);
    const piped = expect(hub.pipe('a', feed)).rejects.toMatchObject({ code: 'HUB_CLOSED' });
    feed.say('one');
    expect((await client.next()).text).toBe('one');
    await close();
    await piped;
    expect(await client.rest()).toMatchObject([expect.objectContaining({ type: 'error', text: 'Closing' })]);
    feed.say('two');
    await eventually(() => feed.isLeft);
  });

  it('is not held up by a schema that does not answer', async () => {
    const hanging = z.string().refine(() => new Promise(() => undefined));
    const Slow = defineChannel('a', { events: { message: hanging } });
    const { hub, close } = await start({
      imports: [SseModule.forFeature([Slow])],
      sse: { shutdown: { grace: 50 } },
    });
    void hub.pipe('a', words('one'));
    await turn();
    await close();
  });
});

describe('a pipe', () => {
  it.each([
    ['a', [{ data: 1 }], {}, 'INVALID_OPTIONS'],
    ['a', null, {}, 'INVALID_OPTIONS'],
    ['a//b', words('one'), {}, 'INVALID_CHANNEL'],
    ['a', words('one'), { abandonAfter: 0 }, 'INVALID_OPTIONS'],
    ['a', words('one'), { maxPending: 0 }, 'INVALID_OPTIONS'],
    ['a', words('one'), { complete: 'no' }, 'INVALID_OPTIONS'],
    ['a', words('one'), { signal: 'no' }, 'INVALID_OPTIONS'],
    ['a', words('one'), { error: 'no' }, 'INVALID_OPTIONS'],
    ['a', words('one'), { abort: true }, 'INVALID_OPTIONS'],
  ])('is refused when it is wrong: %j, %j, %j', async (channel, source, options, code) => {
    const { hub } = await start();
    await expect(hub.pipe(channel, source as never, options as never)).rejects.toMatchObject({ code });
    expect(hub.stats()).toMatchObject({ published: 0, channels: 0 });
  });
});
