import { describe, expect, it } from '@jest/globals';
import { MemoryBackplane } from '../../../src/sse/backplanes/memory/memory.backplane.js';
import { MemoryBus, MemoryCluster } from '../../../src/sse/backplanes/memory/memory.cluster.js';
import {
  SseError,
  type PresenceOptions,
  type SseBackplane,
  type SseHub,
  type SseModuleOptions,
} from '../../../src/sse/index.js';
import { refused } from '../../unit/refusal.js';
import type { TestEvent, TestStream } from '../../../src/sse/testing/index.js';
import { eventually } from '../../support/eventually.js';
import { startSseApp, untilConnections, type RouteRequest, type SseApp } from '../../support/sse-app.js';
import { listen } from '../../support/open-stream.js';

type Append = SseBackplane['append'];

/** Longer than any test. */
const LONG = 600_000;
const ADA = { user: 'ada', info: { name: 'Ada' } };
const BOB = { user: 'bob' };

const routes = {
  room: (hub: SseHub) => hub.stream('room'),
  both: (hub: SseHub) => hub.stream(['room', 'other']),
  plain: (hub: SseHub) => hub.stream('plain'),
};

/** Who asks says who it is, in a header. */
const identify = ({ headers }: RouteRequest) =>
  JSON.parse((headers['x-user'] as string) ?? 'null') ?? undefined;

const as = (identity: object) => ({ headers: { 'x-user': JSON.stringify(identity) } });

const said = (events: readonly TestEvent[]): unknown[] => events.map(({ type, data }) => [type, data]);

/** Connections that come in the same millisecond, on two instances, have no order. */
async function nextMillisecond(): Promise<void> {
  const now = Date.now();
  await eventually(() => Date.now() > now);
}

/** Waits for who is there: users, with how many connections. */
async function untilThere({ hub }: SseApp, expected: Record<string, number>): Promise<void> {
  const there = async (): Promise<unknown> =>
    (await hub.presence('room')).map(({ user, connections }) => [user, connections]);
  const wanted = JSON.stringify(Object.entries(expected));
  await eventually(async () => JSON.stringify(await there()) === wanted);
}

describe('presence', () => {
  const start = (presence: boolean | PresenceOptions, more: SseModuleOptions = {}): Promise<SseApp> =>
    startSseApp({ routes, sse: { identify, presence, ...more } });

  it('has the same person in three tabs once, with how many connections', async () => {
    const before = Date.now();
    const app = await start(true);
    const tabs = [];
    for (const path of ['room', 'both', 'room']) tabs.push(await listen(`${app.url}/${path}`, as(ADA)));
    await listen(`${app.url}/room`, as(BOB));
    await untilConnections(app.hub, 4);
    await untilThere(app, { ada: 3, bob: 1 });
    const [ada, bob] = await app.hub.presence('room');
    expect(ada).toEqual({ ...ADA, connections: 3, since: expect.any(Date) });
    expect(bob).toEqual({ ...BOB, connections: 1, since: expect.any(Date) });
    expect(ada!.since.getTime()).toBeGreaterThanOrEqual(before);
    expect(ada!.since.getTime()).toBeLessThanOrEqual(bob!.since.getTime());
    expect(await app.hub.presence('other')).toMatchObject([{ user: 'ada', connections: 1 }]);

    tabs[0]!.close();
    await untilThere(app, { ada: 2, bob: 1 });
    tabs[1]!.drop();
    await untilThere(app, { ada: 1, bob: 1 });
    expect((await app.hub.presence('room'))[0]).toEqual({ ...ada, connections: 1 });
  });

  it('has nobody of whom it is not known who it is', async () => {
    const app = await start({ events: true });
    const client = await listen(`${app.url}/room`);
    await listen(`${app.url}/room`, as(BOB));
    expect(said([await client.next()])).toEqual([['join', BOB]]);
    await untilThere(app, { bob: 1 });
  });

  it('has those who are identified later than the stream begins', async () => {
    const later = async (request: RouteRequest) => {
      await new Promise(setImmediate);
      return identify(request);
    };
    const app = await start(true, { identify: later });
    await listen(`${app.url}/room`, as(ADA));
    await untilThere(app, { ada: 1 });
  });

  it('publishes that somebody has come, once for all tabs, and has gone', async () => {
    const app = await start({ events: true, grace: 20 });
    const watcher = await listen(`${app.url}/room`);
    const tabs = [];
    for (let i = 0; i < 3; i++) tabs.push(await listen(`${app.url}/room`, as(ADA)));
    await untilThere(app, { ada: 3 });
    for (const tab of tabs) tab.close();
    expect(said(await watcher.take(2))).toEqual([
      ['join', ADA],
      ['leave', ADA],
    ]);
    await untilThere(app, {});
    await listen(`${app.url}/room`, as(ADA));
    expect(said(await watcher.take(1))).toEqual([['join', ADA]]);
  });

  it('keeps a person who reloads', async () => {
    const app = await start({ events: true, grace: LONG });
    const watcher = await listen(`${app.url}/room`);
    const tab = await listen(`${app.url}/room`, as(ADA));
    await untilThere(app, { ada: 1 });
    await watcher.take(1);
    const [{ since } = { since: undefined }] = await app.hub.presence('room');
    tab.close();
    await untilThere(app, { ada: 0 });
    await listen(`${app.url}/room`, as({ user: 'ada', info: 'Ada L.' }));
    await untilThere(app, { ada: 1 });
    expect(await app.hub.presence('room')).toEqual([{ user: 'ada', info: 'Ada L.', connections: 1, since }]);
    await listen(`${app.url}/room`, as(BOB));
    expect(said(await watcher.take(1))).toEqual([['join', BOB]]);
  });

  it('has the info of the newest connection, also when all have closed', async () => {
    const app = await start({ events: true, grace: LONG });
    const info = async (): Promise<unknown> => (await app.hub.presence('room'))[0]?.info;
    const old = await listen(`${app.url}/room`, as(ADA));
    await old.take(1);
    const { since } = (await app.hub.presence('room'))[0]!;
    const renamed = { user: 'ada', info: 'Ada L.' };
    const tab = await listen(`${app.url}/room`, as(renamed));
    await untilThere(app, { ada: 2 });
    expect(await app.hub.presence('room')).toEqual([{ ...renamed, connections: 2, since }]);
    old.close();
    await untilThere(app, { ada: 1 });
    expect(await info()).toBe('Ada L.');
    tab.close();
    await untilThere(app, { ada: 0 });
    expect(await info()).toBe('Ada L.');
  });

  it('ends after the time of grace where nothing is published, too', async () => {
    const app = await start({ grace: 20 });
    const tab = await listen(`${app.url}/room`, as(ADA));
    await untilThere(app, { ada: 1 });
    tab.close();
    await untilThere(app, {});
    expect((await app.hub.history('room')).events).toEqual([]);
  });

  it('has events that are ordinary ones, which a client resumes from', async () => {
    const app = await start({ events: true, grace: LONG });
    const watcher = await listen(`${app.url}/room`);
    await listen(`${app.url}/room`, as(ADA));
    const { id } = await watcher.next();
    await listen(`${app.url}/room`, as(BOB));
    await watcher.next();
    const back = await listen(`${app.url}/room`, { lastEventId: id! });
    expect(said([await back.next()])).toEqual([['join', BOB]]);
  });

  it('has a position before which nobody has come whom the list has not', async () => {
    /** Something happens right before it is read where a channel is. */
    class BusyBackplane extends MemoryBackplane {
      before: (() => Promise<unknown>) | undefined;
      override async read(...query: Parameters<SseBackplane['read']>): ReturnType<SseBackplane['read']> {
        const { before } = this;
        this.before = undefined;
        await before?.();
        return super.read(...query);
      }
    }
    let busy!: BusyBackplane;
    const app = await start(
      { events: true, grace: LONG },
      { backplane: (limits) => ({ backplane: (busy = new BusyBackplane(limits)) }) },
    );
    const watcher = await listen(`${app.url}/room`);
    busy.before = async () => {
      await listen(`${app.url}/room`, as(ADA));
      await watcher.next();
    };
    const members = await app.hub.presence('room');
    const { events } = await app.hub.history('room', { after: members.position });
    expect([members.map(({ user }) => user), events]).toEqual([['ada'], []]);
  });

  it('has nobody of whom it was said that they have gone', async () => {
    let answer = (): void => undefined;
    const answered = new Promise<void>((resolve) => (answer = resolve));
    /** The answer that the event is stored comes later than the event. */
    class LateBackplane extends MemoryBackplane {
      override async append(...args: Parameters<Append>): ReturnType<Append> {
        const stored = await super.append(...args);
        if (args[2].type === 'leave') await answered;
        return stored;
      }
    }
    const app = await start(
      { events: true, grace: 20 },
      { backplane: (limits) => ({ backplane: new LateBackplane(limits) }) },
    );
    const watcher = await listen(`${app.url}/room`);
    const tab = await listen(`${app.url}/room`, as(ADA));
    await watcher.take(1);
    tab.close();
    expect(said(await watcher.take(1))).toEqual([['leave', ADA]]);
    expect(await app.hub.presence('room')).toEqual([]);
    answer();
    await listen(`${app.url}/room`, as(ADA));
    expect(said(await watcher.take(1))).toEqual([['join', ADA]]);
    await untilThere(app, { ada: 1 });
  });

  it('ends where the channel was taken away', async () => {
    const app = await start({ events: true, grace: 0 });
    const watcher = await listen(`${app.url}/room`);
    await listen(`${app.url}/both`, as(ADA));
    await watcher.take(1);
    expect(await app.hub.revoke('ada', 'room')).toEqual({ ended: 1, away: [] });
    expect(said(await watcher.take(1))).toEqual([['leave', ADA]]);
    expect(await app.hub.presence('room')).toEqual([]);
    expect(await app.hub.presence('other')).toMatchObject([{ user: 'ada', connections: 1 }]);
  });

  it('ends with its channel, and harms nobody', async () => {
    const app = await start({ events: true, grace: 0 });
    const tab = await listen(`${app.url}/room`, as(ADA));
    await untilThere(app, { ada: 1 });
    await app.hub.complete('room');
    await tab.ended();
    await untilThere(app, {});
  });

  it('leaves out what of a user is no JSON value', async () => {
    const app = await start({ events: true }, { identify: () => ({ user: 'eve', info: 1n }) });
    const client = await listen(`${app.url}/room`);
    expect(said([await client.next()])).toEqual([['join', { user: 'eve' }]]);
  });

  it('has a limit, and who is beyond it is a member when there is room', async () => {
    const app = await start({ events: true, grace: 0 }, { limits: { membersPerChannel: 1 } });
    const ada = await listen(`${app.url}/room`, as(ADA));
    await untilThere(app, { ada: 1 });
    await listen(`${app.url}/room`, as(BOB));
    await untilConnections(app.hub, 2);
    await app.hub.publish('room', { data: '"all the same"' });
    expect((await ada.take(2)).map(({ type }) => type)).toEqual(['join', 'message']);
    await untilThere(app, { ada: 1 });
    ada.close();
    await untilThere(app, {});
    await listen(`${app.url}/room`, as(BOB));
    await untilThere(app, { bob: 1 });
  });
});

/** Stores the next event of a type, and says that nobody knows whether it has. */
class UncertainBackplane extends MemoryBackplane {
  uncertain: string | undefined;

  override async append(...args: Parameters<Append>): ReturnType<Append> {
    const stored = await super.append(...args);
    if (args[2].type !== this.uncertain) return stored;
    this.uncertain = undefined;
    throw new SseError('PUBLISH_UNCERTAIN', 'No answer came.');
  }
}

describe('presence where nobody knows whether an event was stored', () => {
  const start = async (): Promise<{ app: SseApp; backplane: UncertainBackplane; watcher: TestStream }> => {
    let backplane!: UncertainBackplane;
    const app = await startSseApp({
      routes,
      sse: {
        identify,
        presence: { events: true, grace: 0 },
        backplane: (limits) => ({ backplane: (backplane = new UncertainBackplane(limits)) }),
      },
    });
    return { app, backplane, watcher: await listen(`${app.url}/room`) };
  };

  it('says that somebody has left who has gone before their coming was known to be stored', async () => {
    const { app, backplane, watcher } = await start();
    backplane.uncertain = 'join';
    const ada = await listen(`${app.url}/room`, as(ADA));
    expect(said(await watcher.take(1))).toEqual([['join', ADA]]);
    ada.close();
    expect(said(await watcher.take(1))).toEqual([['leave', ADA]]);
  });

  it('says that somebody has come who is back before their going was known to be stored', async () => {
    const { app, backplane, watcher } = await start();
    const ada = await listen(`${app.url}/room`, as(ADA));
    expect(said(await watcher.take(1))).toEqual([['join', ADA]]);
    backplane.uncertain = 'leave';
    ada.close();
    expect(said(await watcher.take(1))).toEqual([['leave', ADA]]);
    await listen(`${app.url}/room`, as(ADA));
    expect(said(await watcher.take(1))).toEqual([['join', ADA]]);
    await untilThere(app, { ada: 1 });
  });
});

it('has the info of the newest connection, also on an instance to which the user came first', async () => {
  const bus = new MemoryBus();
  const startOne = (): Promise<SseApp> =>
    startSseApp({
      routes,
      sse: {
        identify,
        presence: { grace: LONG },
        backplane: (limits) => ({
          backplane: new MemoryBackplane(limits),
          cluster: new MemoryCluster(bus),
        }),
      },
    });
  const [one, other] = [await startOne(), await startOne()];
  const tabs = [];
  for (const [app, info] of [
    [one, 'first'],
    [other, 'second'],
    [one, 'third'],
  ] as const) {
    await nextMillisecond();
    tabs.push(await listen(`${app.url}/room`, as({ user: 'ada', info })));
    await untilThere(one, { ada: tabs.length });
  }
  for (const { hub } of [one, other])
    expect(await hub.presence('room')).toMatchObject([{ info: 'third', connections: 3 }]);
});

it('is refused for channels without it', async () => {
  const { hub } = await startSseApp();
  await expect(hub.presence('room')).rejects.toEqual(refused('INVALID_OPTIONS', /presence: true/));
  await expect(hub.presence('')).rejects.toEqual(refused('INVALID_CHANNEL'));
});
