import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { MemoryBackplane } from '../../../src/sse/backplanes/memory/memory.backplane.js';
import { MemoryBus, MemoryCluster } from '../../../src/sse/backplanes/memory/memory.cluster.js';
import { LEASE_TIME, type SseCluster } from '../../../src/sse/index.js';
import type { TestStream } from '../../../src/sse/testing/index.js';
import { describeWith } from '../../support/describe-with.js';
import { eventually } from '../../support/eventually.js';
import { NatsServer } from '../../support/nats-server.js';
import { RedisServer } from '../../support/redis-server.js';
import { startSseApp, untilConnections, type RouteRequest, type SseApp } from '../../support/sse-app.js';
import { listen } from '../../support/open-stream.js';
import { Fleet, type FleetOptions, type Instance } from '../../trials/fleet.js';

/** Milliseconds for a machine that is busy with other things. */
const LITTLE = 3_000;

const optionsOf = (backplane: 'redis' | 'nats', url: string, grace: number): FleetOptions => ({
  count: 3,
  backplane,
  url,
  sse: { presence: { events: true, grace }, history: { count: 1_000 } },
  remote: { prefix: randomUUID() }, // no lease of the fleet before
  hasUsers: true,
});

/** Each test has a room of its own: the server is the same. */
let rooms = 0;
const newRoom = (): string => `room-${++rooms}`;

const enter = (instance: Instance, room: string, user = ''): Promise<TestStream> =>
  listen(`${instance.url}/events?channels=${room}&user=${user}`);

async function untilThere(instances: readonly Instance[], room: string, expected: object): Promise<void> {
  const wanted = JSON.stringify(expected);
  for (const instance of instances)
    await eventually(async () => JSON.stringify(await instance.presence(room)) === wanted);
}

/** The next things that happen in a room, as `join ada`. */
const next = async (watcher: TestStream, count: number): Promise<string[]> =>
  (await watcher.take(count)).map(({ type, data }) => `${type} ${(data as { user: string }).user}`);

function describePresence(backplane: 'redis' | 'nats', url: () => string): void {
  const start = async (grace: number): Promise<Fleet['instances']> =>
    (await Fleet.start(optionsOf(backplane, url(), grace))).instances;

  it('keeps those who go from one instance to another, also when that ends in order', async () => {
    const instances = await start(600_000);
    const [one, other, third] = instances as [Instance, Instance, Instance];
    const room = newRoom();
    const watcher = await enter(third, room);
    await enter(one, room, 'ada'); // so it leads
    expect(await next(watcher, 1)).toEqual(['join ada']);
    await enter(other, room, 'bob');
    expect(await next(watcher, 1)).toEqual(['join bob']);
    await one.end('SIGTERM');
    await enter(other, room, 'ada');
    await enter(other, room, 'eve');
    expect(await next(watcher, 1)).toEqual(['join eve']);
    await untilThere([other, third], room, { ada: 1, bob: 1, eve: 1 });
  });

  it('gives those of an instance that ends in order all of the time of grace', async () => {
    const grace = LEASE_TIME + 500;
    const instances = await start(grace);
    const [one, , third] = instances as [Instance, Instance, Instance];
    const room = newRoom();
    const watcher = await enter(third, room);
    await enter(one, room, 'ada'); // so it leads
    expect(await next(watcher, 1)).toEqual(['join ada']);
    await enter(third, room, 'bob'); // so it has a copy of what was announced
    expect(await next(watcher, 1)).toEqual(['join bob']);
    const endedAt = performance.now();
    await one.end('SIGTERM');
    expect(await next(watcher, 1)).toEqual(['leave ada']);
    expect(performance.now() - endedAt).toBeGreaterThan(grace - 100);
  });

  // The first instance leads from the first test on, in which it has the first member. Whichever a test ends is started
  // anew for the next.
  describe('on the same three instances', () => {
    let fleet: Fleet;

    beforeAll(async () => {
      fleet = await Fleet.of(optionsOf(backplane, url(), 100));
    });

    beforeEach(() => fleet.complete());

    afterAll(() => fleet.end());

    it('is that of all, with one person once, and one event for it', async () => {
      const { instances } = fleet;
      const [one, other, third] = instances as [Instance, Instance, Instance];
      const room = newRoom();
      const watcher = await enter(third, room);
      const first = await enter(one, room, 'ada');
      expect(await next(watcher, 1)).toEqual(['join ada']);
      await untilThere(instances, room, { ada: 1 });
      const second = await enter(other, room, 'ada');
      await enter(other, room, 'bob');
      await untilThere(instances, room, { ada: 2, bob: 1 });
      expect(await next(watcher, 1)).toEqual(['join bob']);
      first.close();
      await untilThere(instances, room, { ada: 1, bob: 1 });
      second.close();
      expect(await next(watcher, 1)).toEqual(['leave ada']);
      await untilThere(instances, room, { bob: 1 });
    });

    it('loses those of an instance that is killed within its lease, and says so once', async () => {
      const { instances } = fleet;
      const [one, other, third] = instances as [Instance, Instance, Instance];
      const room = newRoom();
      const watcher = await enter(one, room);
      await enter(one, room, 'ada'); // so it leads
      expect(await next(watcher, 1)).toEqual(['join ada']);
      await enter(other, room, 'bob');
      await untilThere(instances, room, { ada: 1, bob: 1 });
      expect(await next(watcher, 1)).toEqual(['join bob']);
      await other.end('SIGKILL');
      const killedAt = performance.now();
      expect(await next(watcher, 1)).toEqual(['leave bob']);
      expect(performance.now() - killedAt).toBeLessThan(LEASE_TIME + LITTLE);
      await untilThere([one, third], room, { ada: 1 });
      await enter(third, room, 'eve');
      expect(await next(watcher, 1)).toEqual(['join eve']);
    });

    it('goes on when the instance that announces is killed, and nothing is said twice', async () => {
      const { instances } = fleet;
      const [one, third, other] = instances as [Instance, Instance, Instance];
      // The second one has heard of nobody: the test before has killed it, and it was started anew.
      const room = newRoom();
      const watcher = await enter(third, room);
      await enter(one, room, 'ada'); // so it leads
      expect(await next(watcher, 1)).toEqual(['join ada']);
      await enter(other, room, 'bob');
      await enter(other, room, 'cid');
      await untilThere(instances, room, { ada: 1, bob: 1, cid: 1 });
      expect((await next(watcher, 2)).sort()).toEqual(['join bob', 'join cid']);
      await one.end('SIGKILL');
      await enter(third, room, 'eve'); // its first member: it may lead, and has heard of nobody yet
      const events = await next(watcher, 2);
      expect(events.sort()).toEqual(['join eve', 'leave ada']);
      await untilThere([other, third], room, { bob: 1, cid: 1, eve: 1 });
      await enter(other, room, 'dan');
      expect(await next(watcher, 1)).toEqual(['join dan']);
    });
  });
}

/** Loses what it sends while it is told to. */
class LossyCluster extends MemoryCluster {
  isLossy = false;

  override async broadcast(topic: string, message: unknown): Promise<void> {
    if (!this.isLossy) await super.broadcast(topic, message);
  }
}

/** Does for the others what only one does, never. */
class FollowingCluster extends MemoryCluster {
  override lead(): () => void {
    return () => undefined;
  }
}

/** Their logs are not shared: what is announced is seen where it is announced. */
const startOn = (cluster: SseCluster, grace: number): Promise<SseApp> =>
  startSseApp({
    routes: { room: (hub) => hub.stream('room') },
    sse: {
      presence: { events: true, grace },
      identify: ({ query }: RouteRequest) => (query.user ? { user: query.user } : undefined),
      backplane: (limits) => ({ backplane: new MemoryBackplane(limits), cluster }),
    },
  });

it('goes on from what others know when it has only just come', async () => {
  const bus = new MemoryBus();
  const grace = 600_000;
  const one = await startOn(new MemoryCluster(bus), grace);
  const other = await startOn(new FollowingCluster(bus), grace);
  const watcher = await listen(`${one.url}/room`);
  await listen(`${one.url}/room?user=ada`);
  expect(await next(watcher, 1)).toEqual(['join ada']);
  await listen(`${other.url}/room?user=bob`);
  expect(await next(watcher, 1)).toEqual(['join bob']);
  await one.close();

  const third = await startOn(new MemoryCluster(bus), grace);
  const newcomer = await listen(`${third.url}/room`);
  await listen(`${third.url}/room?user=cid`);
  expect(await next(newcomer, 1)).toEqual(['join cid']);
  await listen(`${third.url}/room?user=ada`);
  await listen(`${third.url}/room?user=eve`);
  expect(await next(newcomer, 1)).toEqual(['join eve']);
});

it('heals when what an instance says is lost', async () => {
  const bus = new MemoryBus();
  const lossy = new LossyCluster(bus);
  const [one, other] = [await startOn(new MemoryCluster(bus), 0), await startOn(lossy, 0)];
  const watcher = await listen(`${one.url}/room`);
  await listen(`${one.url}/room?user=ada`);
  expect(await next(watcher, 1)).toEqual(['join ada']);

  lossy.isLossy = true;
  const bob = await listen(`${other.url}/room?user=bob`);
  await listen(`${other.url}/room?user=eve`);
  await untilConnections(other.hub, 2);
  lossy.isLossy = false;
  expect((await next(watcher, 2)).sort()).toEqual(['join bob', 'join eve']);

  lossy.isLossy = true;
  bob.close();
  await untilConnections(other.hub, 1);
  lossy.isLossy = false;
  expect(await next(watcher, 1)).toEqual(['leave bob']);
});

describeWith('redis-server', 'presence of instances that share a Redis', (path) => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await RedisServer.start(path);
  });
  afterAll(() => server.dispose());
  describePresence('redis', () => server.url);
});

describeWith('nats-server', 'presence of instances that share a NATS', (path) => {
  let server: NatsServer;
  beforeAll(async () => {
    server = await NatsServer.start(path);
  });
  afterAll(() => server.dispose());
  describePresence('nats', () => server.address);
});
