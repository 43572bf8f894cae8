import { describe, expect, it } from '@jest/globals';
import { bufferCount, concatMap, delay, filter, map, mergeMap, of, share, Subject, take, tap } from 'rxjs';
import type { Observable } from 'rxjs';
import type { SseEvent, SseHub, SseModuleOptions } from '../../../src/sse/index.js';
import { eventually } from '../../support/eventually.js';
import { startSseApp } from '../../support/sse-app.js';
import type { SseApp } from '../../support/sse-app.js';
import { SseClient } from '../../support/sse-client.js';
import type { ReceivedEvent } from '../../support/sse-client.js';

type Operator = (source: Observable<SseEvent>) => Observable<unknown>;

const dataOf = (events: readonly ReceivedEvent[]): string[] => events.map(({ data }) => data);
const shown: Operator = filter(({ data }: SseEvent) => !String(data).startsWith('hidden'));
const offset = (id: string): number => Number(id.split('-')[1]);

/** An app whose route pipes the channel `news` through an operator. */
const start = (operator: Operator, sse: SseModuleOptions = {}): Promise<SseApp> =>
  startSseApp({ routes: { events: (hub) => hub.stream('news').pipe(operator) }, sse });

interface HoldingApp extends Pick<SseApp, 'hub' | 'url'> {
  /** Resolves when as many events have reached the operator. */
  readonly untilHeld: (events: number) => Promise<void>;
}

const publish = (hub: SseHub, ...texts: string[]): Promise<string[]> =>
  Promise.all(texts.map((data) => hub.publish('news', { data })));

describe('an operator that hides events', () => {
  it('has the position moved by an id-only block, with the next heartbeats', async () => {
    const { hub, url } = await start(shown, { heartbeat: 10 });
    const client = await SseClient.open(`${url}/events`);
    await publish(hub, 'shown');
    const [hidden] = (await publish(hub, 'hidden 1', 'hidden 2')).slice(-1);
    const [block] = (await client.untilBlock(({ id }) => id === hidden)).slice(-1);
    expect(block!.raw).toBe(`id: ${hidden!}`);
    expect(dataOf(client.events)).toEqual(['shown']);
  });

  it('has the position moved also if it never let an event through', async () => {
    const { hub, url } = await start(
      filter(() => false),
      { heartbeat: 10 },
    );
    const client = await SseClient.open(`${url}/events`);
    const [last] = (await publish(hub, 'a', 'b')).slice(-1);
    await client.untilBlock(({ id }) => id === last);
    expect(client.events).toEqual([]);
  });

  it('has the position moved while events of another channel keep the connection busy', async () => {
    const route = (hub: SseHub): Observable<unknown> => hub.stream(['news', 'busy']).pipe(shown as never);
    const { hub, url } = await startSseApp({ routes: { events: route }, sse: { heartbeat: 10 } });
    const client = await SseClient.open(`${url}/events`);
    await publish(hub, 'shown');
    const [hidden] = await publish(hub, 'hidden');
    for (let isTold = false; !isTold; isTold = client.lastEventId.startsWith(`news=${hidden!}&`)) {
      await hub.publish('busy', { data: 'shown' });
      await client.nextBlock();
    }
  });

  it('has the position moved before the end, when its Observable completes', async () => {
    const { hub, url } = await start(shown, { heartbeat: 0 });
    const client = await SseClient.open(`${url}/events`);
    await publish(hub, 'shown');
    const [hidden] = await publish(hub, 'hidden');
    await hub.complete('news');
    expect(await client.closed).toBe('ended');
    expect(client.blocks.at(-1)!.raw).toBe(`id: ${hidden!}`);
  });

  it('has the position stay where it is before an end that it was not asked about: an event may be held', async () => {
    const { hub, url } = await start(shown, { heartbeat: 0 });
    const client = await SseClient.open(`${url}/events`);
    const [visible] = await publish(hub, 'shown', 'hidden');
    await client.next();
    await hub.disconnect({});
    expect(await client.closed).toBe('ended');
    expect(client.lastEventId).toBe(visible);
  });

  it('does not make a client lag, however much it hides', async () => {
    const { hub, url } = await start(shown, { heartbeat: 10, history: { count: 5 } });
    const client = await SseClient.open(`${url}/events`, { reconnect: 0 });
    await publish(hub, 'shown');
    const [hidden] = (await publish(hub, ...Array.from({ length: 50 }, (_, i) => `hidden ${i}`))).slice(-1);
    await client.untilBlock(({ id }) => id === hidden);
    client.reset();
    await publish(hub, 'shown again');
    expect(dataOf(await client.take(2))).toEqual(['shown', 'shown again']);
  });
});

describe.each(['by the server', 'by a heartbeat and RST'])(
  'an operator that holds events back, cut off %s',
  (how) => {
    const heartbeat = how === 'by the server' ? 0 : 400;

    /** The operator, with a count of the events that have reached them. */
    async function startHolding(operator: Operator): Promise<HoldingApp> {
      let count = 0;
      const hold: Operator = (source) => operator(source.pipe(tap(() => count++)));
      const { hub, url } = await start(hold, { heartbeat });
      return { hub, url, untilHeld: (events) => eventually(() => count === events) };
    }

    /** Ends the connection in the two ways in which the position might be moved before. */
    async function cutOff(hub: SseHub, client: SseClient): Promise<void> {
      if (how === 'by the server') {
        await hub.disconnect({});
      } else {
        const { length } = client.blocks;
        await client.untilBlock((block) => client.blocks.indexOf(block) >= length);
        client.reset();
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
      const client = await SseClient.open(`${url}/events`, { reconnect: 0 });
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
      const client = await SseClient.open(`${url}/events`, { reconnect: 0 });
      await publish(hub, 'a', 'b', 'c');
      await untilHeld(3);
      gate.next();
      expect((await client.next()).data).toBe('a');
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
      const client = await SseClient.open(`${url}/events`, { reconnect: 0 });
      await publish(hub, 'quick');
      await client.next();
      await publish(hub, 'slow');
      await untilHeld(2);
      await cutOff(hub, client);
      await untilHeld(3);
      gate.next('found');
      expect((await client.next()).data).toBe('found');
    });

    it('loses none with delay()', async () => {
      const { hub, url, untilHeld } = await startHolding(delay(600));
      const client = await SseClient.open(`${url}/events`, { reconnect: 0 });
      await publish(hub, 'a', 'b');
      await untilHeld(2);
      await cutOff(hub, client);
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
    const client = await SseClient.open(`${url}/events`, { reconnect: 0 });
    await publish(hub, 'a', 'b', 'c');
    await eventually(() => gate.observed);
    gate.next();
    expect((await client.next()).data).toBe('a');
    for (let i = 0; i < 10; i++) await client.untilBlock(({ comments }) => comments.length > 0);
    client.reset();
    await client.untilConnected(2);
    for (const text of ['b', 'c']) {
      await eventually(() => gate.observed);
      gate.next();
      expect((await client.next()).data).toBe(text);
    }
  });
});

describe('an operator that makes events anew', () => {
  it('has clients resume if it keeps the id', async () => {
    const { hub, url } = await start(
      map(({ id, data }) => ({ id, type: 'loud', data: String(data).toUpperCase() })),
    );
    const client = await SseClient.open(`${url}/events`, { reconnect: 0 });
    const [a] = await publish(hub, 'a');
    expect(await client.next()).toEqual({ type: 'loud', id: a, data: 'A' });
    client.reset();
    const [b, c] = await publish(hub, 'b', 'c');
    expect(await client.take(2)).toEqual([
      { type: 'loud', id: b, data: 'B' },
      { type: 'loud', id: c, data: 'C' },
    ]);
  });

  it('sends its events without an id line if it drops the id', async () => {
    const { hub, url } = await start(map(({ data }) => ({ data: `${String(data)}!` })));
    const client = await SseClient.open(`${url}/events`);
    await publish(hub, 'a', 'b');
    expect(await client.take(2)).toEqual([
      { type: 'message', id: undefined, data: 'a!' },
      { type: 'message', id: undefined, data: 'b!' },
    ]);
  });

  it('does not pass off an id of its own as a position', async () => {
    const { hub, url } = await start(map(({ data }) => ({ id: `own-${String(data)}`, data })));
    const client = await SseClient.open(`${url}/events`);
    const position = client.lastEventId;
    await publish(hub, 'a');
    expect(await client.next()).toMatchObject({ id: undefined, data: 'a' });
    expect(client.lastEventId).toBe(position);
  });

  it('may make one event of several: the position is that of the id it kept', async () => {
    const pairs: Operator = (source) =>
      source.pipe(
        bufferCount(2),
        map(([one, two]) => ({ id: two!.id, data: `${one!.data}${two!.data}` })),
      );
    const { hub, url } = await start(pairs);
    const client = await SseClient.open(`${url}/events`, { reconnect: 0 });
    await publish(hub, 'a', 'b', 'c');
    expect((await client.next()).data).toBe('ab');
    client.reset();
    await client.untilConnected(2);
    await publish(hub, 'd');
    expect((await client.next()).data).toBe('cd');
  });

  it('cannot change an event for the other clients', async () => {
    const meddling: Operator = tap((event) => Object.assign(event.data as object, { name: 'Eve' }));
    const routes = {
      meddling: (hub: SseHub) => hub.stream('news').pipe(meddling),
      events: (hub: SseHub) => hub.stream('news').pipe(shown),
    };
    const { hub, url } = await startSseApp({ routes });
    const meddler = await SseClient.open(`${url}/meddling`);
    const client = await SseClient.open(`${url}/events`);
    await hub.publish('news', { data: { name: 'Alice' } });
    expect((await client.next()).data).toBe('{"name":"Alice"}');
    expect((await meddler.next()).type).toBe('error');
  });
});

describe('an operator that hides everything', () => {
  it('cannot hide a gap, and never gets to see one', async () => {
    const seen: SseEvent[] = [];
    const hide: Operator = filter((event) => seen.push(event) < 0);
    const { hub, url } = await start(hide, { heartbeat: 10 });
    const [last] = (await publish(hub, 'a', 'b')).slice(-1);
    const client = await SseClient.open(`${url}/events`, { lastEventId: 'zzz-1' });
    expect(JSON.parse((await client.next()).data)).toMatchObject({ reason: 'epoch', requested: 'zzz-1' });
    await client.untilBlock(({ id }) => id === last);
    expect(seen.map(({ data }) => data as unknown)).toEqual(['a', 'b']);
  });
});

describe('share()', () => {
  it('goes on for the others when the first subscriber, whose request it was made in, leaves', async () => {
    let shared: Observable<SseEvent> | undefined;
    const route = (hub: SseHub): Observable<unknown> => (shared ??= hub.stream('news').pipe(share()));
    const { hub, url } = await startSseApp({ routes: { events: route } });
    const [first, second] = [await SseClient.open(`${url}/events`), await SseClient.open(`${url}/events`)];
    await publish(hub, 'a');
    for (const client of [first, second]) expect((await client.next()).data).toBe('a');
    first.reset();
    await publish(hub, 'b');
    expect((await second.next()).data).toBe('b');
    const third = await SseClient.open(`${url}/events`);
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
    const [slow, quick] = [await SseClient.open(`${url}/events`), await SseClient.open(`${url}/events`)];
    slow.pause();
    const data = 'x'.repeat(100_000);
    for (let i = 1; i <= 200; i++) {
      const id = await hub.publish('news', { data });
      expect(offset((await quick.next()).id!)).toBe(offset(id));
    }
  });
});
