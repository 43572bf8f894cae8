import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it, jest } from '@jest/globals';
import { natsBackplane } from '../../../src/sse/backplanes/nats/index.js';
import { NatsOrders } from '../../../src/sse/backplanes/nats/nats.orders.js';
import { RedisOrders } from '../../../src/sse/backplanes/redis/redis.orders.js';
import { redisBackplane } from '../../../src/sse/backplanes/redis/index.js';
import { MemoryBackplane } from '../../../src/sse/backplanes/memory/memory.backplane.js';
import { MemoryCluster } from '../../../src/sse/backplanes/memory/memory.cluster.js';
import type { BackplaneFactory, OrderFollower, SseCluster } from '../../../src/sse/index.js';
import { whenTestEnds } from '../../support/clean-up.js';
import { describeWith } from '../../support/describe-with.js';
import { eventually } from '../../support/eventually.js';
import { NatsServer } from '../../support/nats-server.js';
import { RedisServer } from '../../support/redis-server.js';
import { untilConnections, untilSubscribers } from '../../support/sse-app.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { denied } from './denied.js';
import { identify, startRoomsApp, type RoomsApp } from './rooms-app.js';

type Make = (port: number, prefix: string) => BackplaneFactory;

interface StartedApp {
  readonly one: RoomsApp;
  /** Its connection to the server goes through the proxy. */
  readonly other: RoomsApp;
  readonly proxy: TcpProxy;
}

/** Keeps all instances from reading orders, until it is called what this returns. */
function holdReads(): () => void {
  let release = (): void => undefined;
  const released = new Promise<void>((resolve) => (release = resolve));
  const { read } = RedisOrders.prototype;
  const { read: readNats } = NatsOrders.prototype;
  const spies = [
    jest.spyOn(RedisOrders.prototype, 'read').mockImplementation(async function (
      this: RedisOrders,
      ...after
    ) {
      await released;
      return read.apply(this, after);
    }),
    jest.spyOn(NatsOrders.prototype, 'read').mockImplementation(async function (this: NatsOrders, ...after) {
      await released;
      return readNats.apply(this, after);
    }),
  ];
  whenTestEnds(() => {
    release();
    for (const spy of spies) spy.mockRestore();
  });
  return release;
}

function describeOrders(make: Make, portOf: () => number): void {
  const start = async (): Promise<StartedApp> => {
    const proxy = await TcpProxy.to(portOf());
    const prefix = randomUUID();
    const shutdown = { spread: 0 };
    const history = { count: 100_000 };
    const sse = (port: number) => ({ sse: { shutdown, history, backplane: make(port, prefix) } });
    const [one, other] = [await startRoomsApp(sse(portOf())), await startRoomsApp(sse(proxy.port))];
    for (const { rooms } of [one, other]) rooms.answer = () => true;
    whenTestEnds(() => proxy.close());
    whenTestEnds(() => proxy.mend());
    return { one, other, proxy };
  };

  it('tells who is away, and is obeyed when that is back, before anything else is sent', async () => {
    const { one, other, proxy } = await start();
    const ann = await other.open('ann', 'rooms/x', 'news');
    const bob = await other.open('bob', 'rooms/x');
    await untilConnections(other.hub, 2);
    proxy.cut();
    const { ended, away } = await one.hub.revoke('ann', 'rooms/x');
    expect([ended, away.length]).toEqual([0, 1]);
    await one.hub.publish('rooms/x', { data: 'secret' });
    await one.hub.publish('news', { data: 'for all' });
    proxy.mend();
    expect(await bob.next()).toMatchObject({ text: 'secret' });
    expect((await ann.take(2)).map(({ type, text }) => [type, text])).toEqual([
      ['denied', JSON.stringify({ channel: 'rooms/x', reason: 'revoked' })],
      ['message', 'for all'],
    ]);
  });

  it('is obeyed after a reconnect before anything of the channel is handed on', async () => {
    const { one, other, proxy } = await start();
    const ann = await other.open('ann', 'rooms/x', 'news');
    const bob = await other.open('bob', 'rooms/x');
    await untilConnections(other.hub, 2);
    const read = holdReads();
    proxy.sever();
    expect((await one.hub.revoke('ann', 'rooms/x')).away).toHaveLength(1);
    proxy.mend();
    let count = 0;
    const publish = (): Promise<string> => one.hub.publish('rooms/x', { data: String(++count) });
    const isBack = async (): Promise<boolean> =>
      (await one.hub.connections({ everywhere: true })).length === 2;
    await eventually(isBack);
    // It could hand these on, and has not read the order.
    for (let round = 0; round < 50; round++) await Promise.all([publish(), isBack()]);
    expect([...ann.events, ...bob.events]).toEqual([]);
    read();
    await ann.next();
    expect(ann.events).toMatchObject([denied('rooms/x', 'revoked')]);
    const events = await bob.take(count);
    expect(events.map(({ text }) => text)).toEqual(Array.from({ length: count }, (_, i) => String(i + 1)));
    expect(ann.events).toHaveLength(1);
  });

  it('ends what was open when it was given, and nothing that has begun since', async () => {
    const { one, other, proxy } = await start();
    // Its log is here already: so streams can begin while the server is away.
    await other.open('bob', 'news');
    const before = await other.open('ann', 'news');
    await untilConnections(other.hub, 2);
    proxy.cut();
    expect((await one.hub.disconnect({ user: 'ann' })).away).toHaveLength(1);
    const after = await other.open('ann', 'news');
    await untilConnections(other.hub, 3);
    proxy.mend();
    expect(await before.ended()).toBe('ended');
    await one.hub.publish('news', { data: 'x' });
    expect(await after.next()).toMatchObject({ text: 'x' });
    expect(await one.hub.disconnect({ user: 'ann' })).toEqual({ ended: 1, away: [] });
  });

  it('asks again who may have a channel that was asked for since', async () => {
    const { one, other, proxy } = await start();
    await other.open('bob', 'rooms/x', 'rooms/y', 'news');
    await untilConnections(other.hub, 1);
    proxy.cut();
    const orders = [one.hub.revoke('ann', 'rooms/x'), one.hub.revoke('ann', 'rooms/y')];
    await Promise.all(orders);
    const ann = await other.open('ann', 'rooms/x', 'rooms/y');
    await untilConnections(other.hub, 2);
    const asked = other.rooms.asked.length;
    other.rooms.answer = ({ params }) => params.room === 'x';
    proxy.mend();
    expect(await ann.next()).toMatchObject(denied('rooms/y', 'revoked'));
    expect(other.rooms.asked).toHaveLength(asked + 2);
    await one.hub.publish('rooms/x', { data: 'still' });
    expect(await ann.next()).toMatchObject({ text: 'still' });
  });

  it('is obeyed at once by all that are there', async () => {
    const { one, other } = await start();
    const anns = [await one.open('ann', 'rooms/x', 'news'), await other.open('ann', 'rooms/x')];
    await Promise.all([one, other].map(({ hub }) => untilConnections(hub, 1)));
    expect(await other.hub.revoke('ann', 'rooms/x')).toEqual({ ended: 2, away: [] });
    for (const ann of anns) expect(await ann.next()).toMatchObject(denied('rooms/x', 'revoked'));
    expect(await one.hub.disconnect({})).toEqual({ ended: 1, away: [] });
  });
}

describeWith('redis-server', 'an order, on Redis', (path) => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await RedisServer.start(path);
  });
  afterAll(() => server.dispose());

  const make: Make = (port, prefix) =>
    redisBackplane({ prefix, connection: { url: `redis://127.0.0.1:${port}` } });
  describeOrders(make, () => server.port);

  it('is given and obeyed while Redis is full', async () => {
    const full = await RedisServer.start(path, { args: ['--maxmemory-policy', 'noeviction'] });
    whenTestEnds(() => full.dispose());
    const prefix = randomUUID();
    const houses = [];
    for (let i = 0; i < 2; i++)
      houses.push(
        await startRoomsApp({ sse: { backplane: make(full.port, prefix), shutdown: { spread: 0 } } }),
      );
    const [one, other] = houses as [RoomsApp, RoomsApp];
    const ann = await other.open('ann', 'rooms/ann', 'news');
    await untilSubscribers(other.hub, 'rooms/ann', 1);
    await full.command('CONFIG', 'SET', 'maxmemory', '1');
    await expect(one.hub.publish('news', { data: 'x' })).rejects.toMatchObject({ code: 'PUBLISH_REJECTED' });
    expect(await one.hub.revoke('ann', 'rooms/ann')).toMatchObject({ ended: 1 });
    expect(await ann.next()).toMatchObject(denied('rooms/ann', 'revoked'));
    await full.command('CONFIG', 'SET', 'maxmemory', '0');
  });

  it('that is lost with the server ends all streams of those who cannot know it, and they resume', async () => {
    const own = await RedisServer.start(path);
    whenTestEnds(() => own.dispose());
    const roomsApp = await startRoomsApp({
      sse: { backplane: make(own.port, randomUUID()), shutdown: { spread: 0 }, retry: 7 },
    });
    const client = await roomsApp.open('ann', 'news');
    await untilConnections(roomsApp.hub, 1);
    await own.stop();
    await own.start();
    expect(await client.ended()).toBe('ended');
    const back = await roomsApp.open('ann', 'news');
    await untilSubscribers(roomsApp.hub, 'news', 1);
    await eventually(() => roomsApp.hub.publish('news', { data: 'x' }).then(...isDone));
    await eventually(() => back.events.some(({ text }) => text === 'x'));
  });
});

describeWith('nats-server', 'an order, on NATS', (path) => {
  let server: NatsServer;
  beforeAll(async () => {
    server = await NatsServer.start(path);
  });
  afterAll(() => server.dispose());

  const make: Make = (port, prefix) =>
    natsBackplane({ prefix, connection: { servers: `127.0.0.1:${port}` } });
  describeOrders(make, () => server.port);
});

/** Gives orders to the instance of a test as if they came from elsewhere. */
class OrderedCluster extends MemoryCluster {
  readonly followers: OrderFollower[] = [];

  override obey(follower: OrderFollower): () => void {
    this.followers.push(follower);
    return super.obey(follower);
  }

  give(order: object, at: number): void {
    for (const follower of this.followers) follower.given({ id: 'x', ...order }, at, 'elsewhere');
  }
}

const startOn = (cluster: SseCluster, more: object = {}): Promise<RoomsApp> =>
  startRoomsApp({
    sse: {
      backplane: (limits) => ({ backplane: new MemoryBackplane(limits), cluster }),
      shutdown: { spread: 0 },
      ...more,
    },
  });

it('ends a stream of which it was not known yet whose it is', async () => {
  let known = (): void => undefined;
  const isKnown = new Promise<void>((resolve) => (known = resolve));
  let asked = 0;
  const roomsApp = await startOn(new MemoryCluster(), {
    identify: async (request: Parameters<typeof identify>[0]) => {
      asked++;
      await isKnown;
      return identify(request);
    },
  });
  const [ann, bob] = [roomsApp.open('ann', 'news'), roomsApp.open('bob', 'news')];
  await eventually(() => asked === 2);
  expect(await roomsApp.hub.disconnect({ user: 'ann' })).toEqual({ ended: 0, away: [] });
  known();
  expect(await (await ann).ended()).toBe('ended');
  await bob;
  await untilSubscribers(roomsApp.hub, 'news', 1);
});

it('asks once more where somebody was being asked when an older order came', async () => {
  const cluster = new OrderedCluster();
  const { open, rooms, hub } = await startOn(cluster);
  const answers: ((answer: boolean) => void)[] = [];
  rooms.answer = () => new Promise((resolve) => answers.push(resolve));
  const givenAt = performance.now() - 1_000;
  const opening = open('ann', 'rooms/x', 'news');
  await eventually(() => answers.length === 1);
  cluster.give({ about: 'revoke', user: 'ann', channel: 'rooms/x' }, givenAt);
  answers[0]!(true);
  await eventually(() => answers.length === 2);
  answers[1]!(false);
  expect(await (await opening).next()).toMatchObject(denied('rooms/x'));
  expect(await hub.subscriberCount('rooms/x')).toBe(0);
});

it('ends all streams where orders were missed, with another time to come back for each', async () => {
  const cluster = new OrderedCluster();
  const roomsApp = await startOn(cluster, { shutdown: { spread: 1_000_000 }, retry: 100 });
  const clients = [];
  for (const user of ['ann', 'bob', 'cid']) clients.push(await roomsApp.open(user, 'news'));
  await untilConnections(roomsApp.hub, 3);
  for (const follower of cluster.followers) follower.missed();
  for (const client of clients) expect(await client.ended()).toBe('ended');
  const retries = clients.map(({ retry }) => retry);
  expect(new Set(retries).size).toBe(3);
  for (const retry of retries) expect(retry).toBeGreaterThanOrEqual(100);
});

const isDone = [() => true, () => false] as const;
