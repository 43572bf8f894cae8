import { describe, expect, it } from '@jest/globals';
import {
  bufferCount,
  concatMap,
  delayWhen,
  filter,
  map,
  merge,
  mergeMap,
  of,
  share,
  Subject,
  take,
  tap,
} from 'rxjs';
import type { Observable } from 'rxjs';
import type { SseEvent, SseHub, SseModuleOptions } from '../../../src/sse/index.js';
import { channelHash } from '../../../src/sse/protocol/position.js';
import type { TestEvent, TestStream } from '../../../src/sse/testing/index.js';
import { eventually } from '../../support/eventually.js';
import { startSseApp } from '../../support/sse-app.js';
import { LogRecorder } from '../http/log-recorder.js';
import type { Route, SseApp } from '../../support/sse-app.js';
import { listen } from '../../support/open-stream.js';

type Operator = (source: Observable<SseEvent>) => Observable<unknown>;

const dataOf = (events: readonly TestEvent[]): string[] => events.map(({ text }) => text);
const shown: Operator = filter(({ data }: SseEvent) => !String(data).startsWith('hidden'));

/** An app whose route pipes the channel `news` through an operator. */
const start = (operator: Operator, sse: SseModuleOptions = {}): Promise<SseApp> =>
  startSseApp({ routes: { events: (hub) => hub.stream('news').pipe(operator) }, sse });

interface HoldingApp extends Pick<SseApp, 'hub' | 'url'> {
  /** Resolves when as many events have reached the operator. */
  readonly untilHeld: (events: number) => Promise<void>;
}

const publish = (hub: SseHub, ...texts: string[]): Promise<string[]> =>
  Promise.all(texts.map((data) => hub.publish('news', { data })));

const numbered = (text: string, count: number): string[] =>
  Array.from({ length: count }, (_, i) => `${text} ${i}`);

describe('an operator that hides events', () => {
  it.each(['heartbeats', 'the end of the channel', 'the end of the connection'])(
    'does not move the position past them, at %s: they may be held',
    async (how) => {
      const { hub, url } = await start(shown, { heartbeat: how === 'heartbeats' ? 10 : 0 });
      const client = await listen(`${url}/events`);
      const [visible] = await publish(hub, 'shown', 'hidden');
      await client.next();
      if (how === 'heartbeats') for (let i = 0; i < 4; i++) await client.untilComment('');
      else if (how === 'the end of the channel') await hub.complete('news');
      else await hub.disconnect({});
      if (how !== 'heartbeats') expect(await client.ended()).toBe('ended');
      expect(client.lastEventId).toBe(visible);
    },
  );
});

describe('the option filter', () => {
  const filtered: Route = (hub) =>
    hub.stream('news', { filter: ({ data }) => !String(data).startsWith('hidden') });

  it('has the position moved past what it hides, with the next heartbeat, by an event that nobody listens to', async () => {
    const { hub, url } = await startSseApp({ routes: { events: filtered }, sse: { heartbeat: 10 } });
    const client = await listen(`${url}/events`);
    await publish(hub, 'shown');
    const [hidden] = (await publish(hub, 'hidden 1', 'hidden 2')).slice(-1);
    await client.untilId(hidden);
    expect(client.raw).toMatch(new RegExp(`id: ${hidden!}\nevent: sse-position\ndata: {}\n\n$`));
    expect(dataOf(client.events)).toEqual(['shown']);
  });

  it('has the position moved before the end', async () => {
    const { hub, url } = await startSseApp({ routes: { events: filtered }, sse: { heartbeat: 0 } });
    const client = await listen(`${url}/events`);
    const [, hidden] = await publish(hub, 'shown', 'hidden');
    await hub.disconnect({});
    expect(await client.ended()).toBe('ended');
    expect(client.lastEventId).toBe(hidden);
  });

  it('has the position moved when half of the history has gone by, although no heartbeat comes', async () => {
    const sse = { heartbeat: 0, history: { count: 10 } };
    const { hub, url } = await startSseApp({ routes: { events: filtered }, sse });
    const client = await listen(`${url}/events`, { reconnect: 0 });
    await publish(hub, 'shown');
    for (let i = 0; i < 10; i++) {
      const ids = await publish(hub, ...numbered('hidden', 5));
      await client.untilId(ids[4]);
    }
    client.drop();
    await client.untilConnected(2);
    await publish(hub, 'shown again');
    expect(dataOf(await client.take(2))).toEqual(['shown', 'shown again']);
  });

  it('waits for what an operator after it holds, and moves the position when that is out', async () => {
    const gate = new Subject<void>();
    const held: Route = (hub) =>
      hub.stream('news', { types: ['message'] }).pipe(
        concatMap((event) =>
          gate.pipe(
            take(1),
            map(() => event),
          ),
        ),
      );
    const { hub, url } = await startSseApp({ routes: { events: held }, sse: { heartbeat: 10 } });
    const client = await listen(`${url}/events`);
    const lastEventId = await client.untilId();
    await publish(hub, 'held');
    const hidden = await hub.publish('news', { type: 'other', data: 'hidden' });
    await eventually(() => gate.observed);
    for (let i = 0; i < 3; i++) await client.untilComment('');
    expect(client.lastEventId).toBe(lastEventId);
    gate.next();
    expect((await client.next()).id).toBe(hidden);
  });

  it('hides an event from a stream alone: another of the same response has it', async () => {
    const route: Route = (hub) =>
      merge(hub.stream('news', { types: ['a'] }), hub.stream('news', { types: ['b'] }));
    const { hub, url } = await startSseApp({ routes: { events: route }, sse: { heartbeat: 10 } });
    const client = await listen(`${url}/events`);
    for (const type of ['a', 'b']) await hub.publish('news', { type, data: type });
    expect(dataOf(await client.take(2))).toEqual(['a', 'b']);
    const hidden = await hub.publish('news', { type: 'c', data: 'c' });
    await client.untilId(hidden);
  });

  it('ends the stream where it throws: the client comes back for that event', async () => {
    const broken: Route = (hub) =>
      hub.stream('news', {
        filter: ({ data }) => {
          if (data === 'b') throw new Error('cannot be judged');
          return true;
        },
      });
    const { hub, url } = await startSseApp({ routes: { events: broken } });
    const client = await listen(`${url}/events`);
    const [a] = await publish(hub, 'a', 'b', 'c');
    expect((await client.take(2)).map(({ type }) => type)).toEqual(['message', 'error']);
    expect(await client.ended()).toBe('ended');
    expect(client.lastEventId).toBe(a);
  });

  it('is refused when it is no function, or no list of types', async () => {
    for (const options of [{ filter: 'x' }, { types: 'x' }, { types: [1] }]) {
      const { hub } = await startSseApp();
      expect(() => hub.stream('news', options as never)).toThrow(
        expect.objectContaining({ code: 'INVALID_OPTIONS' }),
      );
    }
  });
});

describe.each(['by the server', 'by a heartbeat and RST'])(
  'an operator that holds events back, cut off %s',
  (how) => {
    const heartbeat = how === 'by the server' ? 0 : 50;

    /** The operator, with a count of the events that have reached them. */
    async function startHolding(operator: Operator): Promise<HoldingApp> {
      let count = 0;
      const hold: Operator = (source) => operator(source.pipe(tap(() => count++)));
      const { hub, url } = await start(hold, { heartbeat });
      return { hub, url, untilHeld: (events) => eventually(() => count === events) };
    }

    /** Ends the connection in the two ways in which the position might be moved before. */
    async function cutOff(hub: SseHub, client: TestStream): Promise<void> {
      if (how === 'by the server') {
        await hub.disconnect({});
      } else {
        const had = client.raw;
        await eventually(() => client.raw !== had);
        client.drop();
      }
      await client.untilConnected(2);
    }

    it('loses none when the client is cut off before the first was let go', async () => {
      const gate = new Subject<void>();
      const { hub, url, untilHeld } = await startHolding(
        concatMap((event) =>
          gate.pipe(
            take(1),
            map(() => event),
          ),
        ),
      );
      const client = await listen(`${url}/events`, { reconnect: 0 });
      await publish(hub, 'a', 'b');
      await untilHeld(2);
      await cutOff(hub, client);
      await untilHeld(4);
      gate.next();
      gate.next();
      expect(dataOf(await client.take(2))).toEqual(['a', 'b']);
    });

    it('loses none when the client is cut off after some were let go', async () => {
      const gate = new Subject<void>();
      const { hub, url, untilHeld } = await startHolding(
        concatMap((event) =>
          gate.pipe(
            take(1),
            map(() => event),
          ),
        ),
      );
      const client = await listen(`${url}/events`, { reconnect: 0 });
      await publish(hub, 'a', 'b', 'c');
      await untilHeld(3);
      gate.next();
      expect((await client.next()).text).toBe('a');
      await cutOff(hub, client);
      await untilHeld(5);
      gate.next();
      gate.next();
      expect(dataOf(await client.take(2))).toEqual(['b', 'c']);
    });

    it('loses none when it lets some through at once and looks others up first', async () => {
      const gate = new Subject<string>();
      const lookUp: Operator = mergeMap((event) =>
        event.data === 'slow' ? gate.pipe(map((data) => ({ ...event, data }))) : of(event),
      );
      const { hub, url, untilHeld } = await startHolding(lookUp);
      const client = await listen(`${url}/events`, { reconnect: 0 });
      await publish(hub, 'quick');
      await client.next();
      await publish(hub, 'slow');
      await untilHeld(2);
      await cutOff(hub, client);
      await untilHeld(3);
      gate.next('found');
      expect((await client.next()).text).toBe('found');
    });

    it('loses none when it delays them', async () => {
      const gate = new Subject<void>();
      const { hub, url, untilHeld } = await startHolding(delayWhen(() => gate));
      const client = await listen(`${url}/events`, { reconnect: 0 });
      await publish(hub, 'a', 'b');
      await untilHeld(2);
      await cutOff(hub, client);
      await untilHeld(4);
      gate.next();
      expect(dataOf(await client.take(2))).toEqual(['a', 'b']);
    });
  },
);

describe('an operator that was seen to hold events back for long', () => {
  it('loses none, however many heartbeats go by', async () => {
    const gate = new Subject<void>();
    const hold: Operator = concatMap((event) =>
      gate.pipe(
        take(1),
        map(() => event),
      ),
    );
    const { hub, url } = await start(hold, { heartbeat: 10 });
    const client = await listen(`${url}/events`, { reconnect: 0 });
    await publish(hub, 'a', 'b', 'c');
    await eventually(() => gate.observed);
    gate.next();
    expect((await client.next()).text).toBe('a');
    for (let i = 0; i < 10; i++) await client.untilComment('');
    client.drop();
    await client.untilConnected(2);
    for (const text of ['b', 'c']) {
      await eventually(() => gate.observed);
      gate.next();
      expect((await client.next()).text).toBe(text);
    }
  });
});

describe('an operator that makes events anew', () => {
  it('has clients resume if it keeps the id', async () => {
    const { hub, url } = await start(
      map(({ id, data }) => ({ id, type: 'loud', data: String(data).toUpperCase() })),
    );
    const client = await listen(`${url}/events`, { reconnect: 0 });
    const [a] = await publish(hub, 'a');
    expect(await client.next()).toMatchObject({ type: 'loud', id: a, text: 'A' });
    client.drop();
    const [b, c] = await publish(hub, 'b', 'c');
    expect(await client.take(2)).toMatchObject([
      { type: 'loud', id: b, text: 'B' },
      { type: 'loud', id: c, text: 'C' },
    ]);
  });

  it.each<[string, (event: SseEvent) => unknown]>([
    ['drops the id', ({ data }) => ({ data })],
    ['has an id of its own', ({ data }) => ({ id: `own-${String(data)}`, data })],
    ['makes it a text', ({ data }) => data as unknown],
    ['makes it a Promise', ({ data }) => Promise.resolve({ data: data as unknown })],
  ])('has clients resume also if it %s, as each takes the place of what it was made of', async (_, make) => {
    const { hub, url } = await start(map(make));
    const client = await listen(`${url}/events`, { reconnect: 0 });
    const ids = await publish(hub, 'a', 'b');
    expect((await client.take(2)).map(({ id, text }) => [id, text])).toEqual([
      [ids[0], 'a'],
      [ids[1], 'b'],
    ]);
    client.drop();
    const [c] = await publish(hub, 'c');
    expect(await client.next()).toMatchObject({ id: c, text: 'c' });
  });

  it('has clients resume also if it gives them the id of an event of a channel that is not streamed', async () => {
    const stray = `1.markmark${channelHash('sport')}`;
    const { hub, url } = await start(map(({ data }) => ({ id: stray, data })));
    const client = await listen(`${url}/events`);
    const ids = await publish(hub, 'a', 'b');
    expect((await client.take(2)).map(({ id }) => id)).toEqual(ids);
  });

  it('has clients resume with ids of the one among two channels of the same hash that has the event', async () => {
    const names = ['orders/145', 'orders/1095'];
    const anew: Operator = map(({ id, data }) => ({ id, data }));
    const { hub, url } = await startSseApp({
      routes: { events: (hub) => merge(...names.map((name) => hub.stream(name))).pipe(anew) },
    });
    const client = await listen(`${url}/events`);
    const ids = [];
    for (const name of names) ids.push(await hub.publish(name, { data: name }));
    // The four characters at the end are the hash.
    expect(new Set(ids.map((id) => id.slice(-4))).size).toBe(1);
    await client.next();
    const [one, other] = names.map(encodeURIComponent);
    expect((await client.next()).id).toBe(`${one}=${ids[0]}&${other}=${ids[1]}`);
  });

  it('may make several of one: the last of them alone moves the position', async () => {
    const { hub, url } = await start(mergeMap((event) => [{ data: 'first' }, event, { data: 'last' }]));
    const client = await listen(`${url}/events`);
    const [a] = await publish(hub, 'a');
    expect((await client.take(3)).map(({ id, text }) => [id, text])).toEqual([
      [undefined, 'first'],
      [undefined, 'a'],
      [a, 'last'],
    ]);
  });

  it('may make several of one: what a client dispatches no event for is not the last of them', async () => {
    const { hub, url } = await start(mergeMap(({ data }) => [{ data }, { comment: 'looked up' }, null]));
    const client = await listen(`${url}/events`);
    const ids = await publish(hub, 'a', 'b');
    expect((await client.take(2)).map(({ id }) => id)).toEqual(ids);
  });

  it('may make several of one: what comes after a Promise waits for it', async () => {
    const { hub, url } = await start(mergeMap(({ data }) => [Promise.resolve({ data }), { data: 'after' }]));
    const client = await listen(`${url}/events`);
    await publish(hub, 'a', 'b');
    expect(dataOf(await client.take(4))).toEqual(['a', 'after', 'b', 'after']);
  });

  it('may make Promises: they are awaited in their order, and events after them wait', async () => {
    const answers = new Map<string, (data: string) => void>();
    const ask: Operator = map(({ data }) => {
      if (data === 'quick') return { data: 'quick' };
      return new Promise((resolve) => answers.set(String(data), (text) => resolve({ data: text })));
    });
    const { hub, url } = await start(ask);
    const client = await listen(`${url}/events`);
    const lastEventId = await client.untilId();
    const ids = await publish(hub, 'slow', 'quick', 'slower', 'quick');
    await eventually(() => answers.has('slow'));
    expect(answers.has('slower')).toBe(false);
    expect(client.lastEventId).toBe(lastEventId);
    answers.get('slow')!('found');
    expect((await client.take(2)).map(({ id, text }) => [id, text])).toEqual([
      [ids[0], 'found'],
      [ids[1], 'quick'],
    ]);
    await eventually(() => answers.has('slower'));
    answers.get('slower')!('found too');
    await hub.complete('news');
    expect((await client.take(2)).map(({ id, text }) => [id, text])).toEqual([
      [ids[2], 'found too'],
      [ids[3], 'quick'],
    ]);
    expect(await client.ended()).toBe('ended');
  });

  it('may make Promises of the last events of a channel that has completed', async () => {
    const { hub, url } = await start(map(({ data }) => Promise.resolve({ data: data as unknown })));
    const [a] = await publish(hub, 'a', 'b');
    await hub.complete('news');
    const client = await listen(`${url}/events`, { lastEventId: a! });
    expect((await client.rest()).map(({ text }) => text)).toEqual(['b']);
  });

  it('ends the stream with an error where a Promise is rejected, and the client comes back for it', async () => {
    const { hub, url } = await start(
      map(({ data }) => (data === 'b' ? Promise.reject(new Error('not found')) : { data: data as unknown })),
    );
    const client = await listen(`${url}/events`);
    const [a] = await publish(hub, 'a', 'b', 'c');
    expect((await client.take(2)).map(({ type }) => type)).toEqual(['message', 'error']);
    expect(await client.ended()).toBe('ended');
    expect(client.lastEventId).toBe(a);
  });

  it('may make one event of several: the position is that of the id it kept', async () => {
    const pairs: Operator = (source) =>
      source.pipe(
        bufferCount(2),
        map(([one, two]) => ({ id: two!.id, data: `${one!.data}${two!.data}` })),
      );
    const { hub, url } = await start(pairs);
    const client = await listen(`${url}/events`, { reconnect: 0 });
    await publish(hub, 'a', 'b', 'c');
    expect((await client.next()).text).toBe('ab');
    client.drop();
    await client.untilConnected(2);
    await publish(hub, 'd');
    expect((await client.next()).text).toBe('cd');
  });

  it('does not take the client back if it changes the order', async () => {
    const { hub, url } = await start((source) =>
      source.pipe(
        bufferCount(2),
        mergeMap(([one, two]) => [two, one]),
      ),
    );
    const client = await listen(`${url}/events`);
    const [, b] = await publish(hub, 'a', 'b');
    expect((await client.take(2)).map(({ id, text }) => [id, text])).toEqual([
      [b, 'b'],
      [b, 'a'],
    ]);
  });

  it('cannot change an event for the other clients', async () => {
    const meddling: Operator = tap((event) => Object.assign(event.data as object, { name: 'Eve' }));
    const routes = {
      meddling: (hub: SseHub) => hub.stream('news').pipe(meddling),
      events: (hub: SseHub) => hub.stream('news').pipe(shown),
    };
    const { hub, url } = await startSseApp({ routes });
    const meddler = await listen(`${url}/meddling`);
    const client = await listen(`${url}/events`);
    await hub.publish('news', { data: { name: 'Alice' } });
    expect((await client.next()).text).toBe('{"name":"Alice"}');
    expect((await meddler.next()).type).toBe('error');
  });
});

describe('an operator that hides everything', () => {
  it('cannot hide a gap, and never gets to see one', async () => {
    const seen: SseEvent[] = [];
    const hide: Operator = filter((event) => seen.push(event) < 0);
    const { hub, url } = await start(hide, { heartbeat: 10 });
    await publish(hub, 'a', 'b');
    const client = await listen(`${url}/events`, { lastEventId: 'zzz-1' });
    expect((await client.next()).data).toMatchObject({ reason: 'unknown', requested: 'zzz-1' });
    await eventually(() => seen.length === 2);
    expect(seen.map(({ data }) => data as unknown)).toEqual(['a', 'b']);
  });
});

describe('an operator that holds events while the log moves past the client', () => {
  it('has a gap told from where the client is, and its id is not beyond what the operator holds', async () => {
    const gate = new Subject<void>();
    const hold: Operator = concatMap((event) =>
      gate.pipe(
        take(1),
        map(() => event),
      ),
    );
    const { hub, url } = await start(hold, { history: { bytes: 1_000 } });
    const client = await listen(`${url}/events`, { reconnect: 0 });
    const [one] = await publish(hub, 'one');
    await eventually(() => gate.observed);
    gate.next();
    await client.next();
    await publish(hub, 'two', 'three');
    await eventually(() => gate.observed);
    client.pause();
    client.drop();
    // Nothing of what the operator of the first connection held was had by the client.
    await client.untilConnected(2);
    for (const text of ['two', 'three']) {
      await eventually(() => gate.observed);
      gate.next();
      expect((await client.next()).text).toBe(text);
    }
    expect(one).toBeDefined();
  });
});

describe('share()', () => {
  it('goes on for the others when the first subscriber, whose request it was made in, leaves', async () => {
    let shared: Observable<SseEvent> | undefined;
    const route = (hub: SseHub): Observable<unknown> => (shared ??= hub.stream('news').pipe(share()));
    const { hub, url } = await startSseApp({ routes: { events: route } });
    const [first, second] = [await listen(`${url}/events`), await listen(`${url}/events`)];
    await publish(hub, 'a');
    for (const client of [first, second]) expect((await client.next()).text).toBe('a');
    first.drop();
    await publish(hub, 'b');
    expect((await second.next()).text).toBe('b');
    const third = await listen(`${url}/events`);
    const ids = await publish(hub, 'c', 'd');
    for (const client of [second, third]) {
      const events = await client.take(2);
      expect(events.map(({ id }) => id)).toEqual(ids);
      expect(dataOf(events)).toEqual(['c', 'd']);
    }
    expect(await hub.subscriberCount('news')).toBe(1);
  });

  it('is not slowed down by the client whose request it was made in', async () => {
    let shared: Observable<SseEvent> | undefined;
    const route = (hub: SseHub): Observable<unknown> => (shared ??= hub.stream('news').pipe(share()));
    const { hub, url } = await startSseApp({ routes: { events: route } });
    const [slow, quick] = [await listen(`${url}/events`), await listen(`${url}/events`)];
    slow.pause();
    const data = 'x'.repeat(100_000);
    for (let i = 1; i <= 200; i++) {
      const id = await hub.publish('news', { data });
      expect((await quick.next()).id).toBe(id);
    }
  });
});

describe('A stream that responses share', () => {
  it('is named once for its route, and what to do', async () => {
    const log = new LogRecorder();
    let shared: Observable<unknown> | undefined;
    const { hub, url } = await startSseApp({
      routes: {
        shared: (own) => (shared ??= own.stream('news').pipe(share())),
        own: (own) => own.stream('news').pipe(map((event) => event)),
      },
      configure: (app) => app.useLogger(log),
    });
    const clients = await Promise.all(
      ['shared', 'shared', 'own', 'own'].map((path) => listen(`${url}/${path}`)),
    );
    for (const data of [1, 2]) await hub.publish('news', { data });
    for (const client of clients) await client.take(2);
    expect(log.entries.map(({ text }) => text)).toEqual([
      'Events of "news" reach /shared by a stream that is not its own, as through share(): a client that comes back does not get what it missed. Give each response a stream of its own.',
    ]);
  });
});
