import { Controller, Inject, UseGuards } from '@nestjs/common';
import { describe, expect, it } from '@jest/globals';
import { share, startWith, switchMap, timer } from 'rxjs';
import type { Observable } from 'rxjs';
import { MemoryBackplane } from '../../../src/sse/backplanes/memory/memory.backplane.js';
import { MemoryBus, MemoryCluster } from '../../../src/sse/backplanes/memory/memory.cluster.js';
import { Sse, SseHub, type SseCluster } from '../../../src/sse/index.js';
import { describeWith } from '../../support/describe-with.js';
import { eventually } from '../../support/eventually.js';
import { redisClusters } from '../../support/redis-clusters.js';
import { untilConnections, untilSubscribers } from '../../support/sse-app.js';
import { denied } from './denied.js';
import { dataOf, startRoomsApp, TokenGuard, type RoomsApp } from './rooms-app.js';

type Make = () => SseCluster | Promise<SseCluster>;

const startInstance = (make: Make): Promise<RoomsApp> =>
  startRoomsApp({
    sse: {
      backplane: async (limits) => ({ backplane: new MemoryBackplane(limits), cluster: await make() }),
    },
  });

async function startTwo(makeCluster: () => Promise<Make>): Promise<[RoomsApp, RoomsApp]> {
  const make = await makeCluster();
  const houses: [RoomsApp, RoomsApp] = [await startInstance(make), await startInstance(make)];
  for (const { rooms } of houses) rooms.answer = () => true;
  return houses;
}

function describeRevoking(makeCluster: () => Promise<Make>): void {
  it('is taken from all streams of a user, wherever they are, and from nobody else', async () => {
    const [one, other] = await startTwo(makeCluster);
    const anns = [
      await one.open('ann', 'rooms/x', 'news'),
      await other.open('ann', 'rooms/x', 'news'),
      await other.open('ann', 'news', 'rooms/x', 'rooms/y'),
    ];
    const bobs = [await one.open('bob', 'rooms/x'), await other.open('bob', 'rooms/x', 'news')];
    await other.open('ann', 'news');
    await Promise.all([untilConnections(one.hub, 2), untilConnections(other.hub, 4)]);

    expect(await one.hub.revoke('ann', 'rooms/x')).toEqual({ ended: 3, away: [] });
    for (const ann of anns) expect(await ann.next()).toMatchObject(denied('rooms/x', 'revoked'));
    expect(await one.hub.revoke('ann', 'rooms/x')).toEqual({ ended: 0, away: [] });

    for (const { hub } of [one, other]) {
      await hub.publish('rooms/x', { data: 'secret' });
      await hub.publish('news', { data: 'for all' });
    }
    for (const ann of anns) expect(await ann.next()).toMatchObject({ text: 'for all' });
    for (const bob of bobs) expect(await bob.next()).toMatchObject({ text: 'secret' });
    expect(await one.hub.subscriberCount('rooms/x', { everywhere: true })).toBe(2);
  });

  it('ends a stream that has nothing else, and it does not come back', async () => {
    const [one, other] = await startTwo(makeCluster);
    const ann = await other.open('ann', 'rooms/x');
    await untilConnections(other.hub, 1);
    other.rooms.answer = () => false;
    expect(await one.hub.revoke('ann', 'rooms/x')).toEqual({ ended: 1, away: [] });
    expect(await ann.rest()).toMatchObject([denied('rooms/x', 'revoked')]);
    expect((await other.answer('ann', 'rooms/x')).status).toBe(403);
  });

  it('disconnects a user, wherever, and nobody else', async () => {
    const [one, other] = await startTwo(makeCluster);
    const anns = [await one.open('ann', 'news'), await other.open('ann', 'rooms/x')];
    await other.open('bob', 'news');
    await Promise.all([untilConnections(one.hub, 1), untilConnections(other.hub, 2)]);
    expect(await one.hub.connections({ user: 'ann', everywhere: true })).toHaveLength(2);
    expect(await one.hub.disconnect({ user: 'ann' })).toEqual({ ended: 2, away: [] });
    for (const ann of anns) expect(await ann.ended()).toBe('ended');
    expect(await one.hub.disconnect({ user: 'ann' })).toEqual({ ended: 0, away: [] });
    expect(await other.hub.connections()).toHaveLength(1);
  });
}

describe('a channel that is revoked', () => {
  describeRevoking(async () => {
    const bus = new MemoryBus();
    return () => new MemoryCluster(bus);
  });

  it('while it is being decided is denied, and is granted to nobody by an answer that comes then', async () => {
    const { open, rooms, hub } = await startRoomsApp();
    let decide: (answer: boolean) => void = () => undefined;
    rooms.answer = () => new Promise((resolve) => (decide = resolve));
    const opening = open('ann', 'rooms/x', 'news');
    await eventually(() => rooms.asked.length === 1);
    expect(await hub.revoke('ann', 'rooms/x')).toEqual({ ended: 0, away: [] });
    decide(true);
    const client = await opening;
    expect(await client.next()).toMatchObject(denied('rooms/x'));
    expect(await hub.subscriberCount('rooms/x')).toBe(0);
  });

  it('at any moment around the answer is never streamed', async () => {
    const { open, rooms, hub } = await startRoomsApp();
    for (let steps = 0; steps < 30; steps++) {
      let revoked: Promise<unknown> | undefined;
      rooms.answer = async () => {
        const later = async (): Promise<void> => {
          for (let i = 0; i < steps; i++) await Promise.resolve();
          revoked = hub.revoke('ann', 'rooms/x');
        };
        void later();
        return true;
      };
      const client = await open('ann', 'rooms/x', 'news');
      await eventually(() => revoked !== undefined);
      await revoked;
      expect(await client.next()).toMatchObject({ type: 'denied' });
      expect(await hub.subscriberCount('rooms/x')).toBe(0);
      client.close();
    }
  });

  it('may be one that nobody was asked for, and may be had again', async () => {
    const { open, hub, rooms } = await startRoomsApp();
    rooms.answer = () => true;
    const client = await open('ann', 'news', 'rooms/x');
    await untilConnections(hub, 1);
    expect(await hub.revoke('ann', 'news')).toEqual({ ended: 1, away: [] });
    expect(await client.next()).toMatchObject(denied('news', 'revoked'));
    const again = await open('ann', 'news');
    await untilSubscribers(hub, 'news', 1);
    await hub.publish('news', { data: 'x' });
    expect(await again.next()).toMatchObject({ text: 'x' });
    expect(dataOf(client)).toEqual([]);
  });

  it('is told of once where it has completed or was never streamed', async () => {
    const { open, hub } = await startRoomsApp();
    const client = await open('ann', 'news', 'sports');
    await untilSubscribers(hub, 'news', 1);
    await hub.complete('news');
    await untilSubscribers(hub, 'news', 0);
    expect(await hub.revoke('ann', 'news')).toEqual({ ended: 0, away: [] });
    expect(await hub.revoke('ann', 'weather')).toEqual({ ended: 0, away: [] });
    expect(await hub.revoke('bob', 'sports')).toEqual({ ended: 0, away: [] });
    await hub.publish('sports', { data: 'x' });
    expect(await client.next()).toMatchObject({ text: 'x' });
  });

  it('is taken from a stream of which it cannot be seen that it leads to the client', async () => {
    @Controller()
    @UseGuards(TokenGuard)
    class SharedController {
      constructor(@Inject(SseHub) private readonly hub: SseHub) {}

      @Sse('late')
      late(): Observable<unknown> {
        return timer(1).pipe(
          switchMap(() => this.hub.stream('rooms/ann').pipe(share())),
          startWith('ready'),
        );
      }
    }
    const { openAt, hub } = await startRoomsApp({ controllers: [SharedController] });
    const client = await openAt('/late', 'ann');
    await untilSubscribers(hub, 'rooms/ann', 1);
    expect(await hub.revoke('ann', 'rooms/ann')).toEqual({ ended: 1, away: [] });
    expect((await client.rest()).slice(1)).toMatchObject([denied('rooms/ann', 'revoked')]);
    await untilSubscribers(hub, 'rooms/ann', 0);
  });

  it('is named rightly, and so is the user', async () => {
    const { hub } = await startRoomsApp({ sse: { strictChannels: true } });
    await expect(hub.revoke('ann', 'x')).rejects.toMatchObject({ code: 'UNKNOWN_CHANNEL' });
    await expect(hub.revoke('ann', '')).rejects.toMatchObject({ code: 'INVALID_CHANNEL' });
    await expect(hub.revoke(undefined as never, 'x')).rejects.toMatchObject({ code: 'INVALID_OPTIONS' });
    await expect(hub.disconnect({ user: 7 } as never)).rejects.toMatchObject({ code: 'INVALID_OPTIONS' });
  });
});

describe('what was granted', () => {
  it('is asked for again when it is time: what is not granted any more is taken away, the rest stays', async () => {
    const { open, rooms, hub } = await startRoomsApp({ sse: { reauthorize: 20 } });
    const taken = new Set<string>();
    rooms.answer = ({ params }) => !taken.has(params.room);
    const client = await open('ann', 'rooms/x', 'rooms/y', 'news');
    await eventually(() => rooms.asked.length >= 6);
    expect(client.events).toEqual([]);
    taken.add('x');
    expect(await client.next()).toMatchObject(denied('rooms/x'));
    for (const name of ['rooms/x', 'rooms/y', 'news']) await hub.publish(name, { data: name });
    expect((await client.take(2)).map(({ text }) => text)).toEqual(['rooms/y', 'news']);
    const before = rooms.asked.length;
    await eventually(() => rooms.asked.length >= before + 3);
    // Not of what is not streamed any more.
    expect(rooms.asked.slice(before + 2).map(({ channel }) => channel)).not.toContain('rooms/x');
  });

  it('is taken away where asking fails, and nobody is asked who has gone', async () => {
    const { open, rooms, hub } = await startRoomsApp({ sse: { reauthorize: 20, authorizeTime: 20 } });
    rooms.answer = () => true;
    const client = await open('ann', 'rooms/x', 'news');
    await eventually(() => rooms.asked.length >= 2);
    rooms.answer = () => new Promise(() => undefined);
    expect(await client.next()).toMatchObject(denied('rooms/x'));
    client.close();
    await untilConnections(hub, 0);
    const asked = rooms.asked.length;
    await expect(open('bob', 'rooms/y')).rejects.toMatchObject({ status: 403 });
    expect(rooms.asked.length).toBe(asked + 1);
  });
});

describeWith('redis-server', 'with a Redis, a channel that is revoked', (path) => {
  describeRevoking(() => redisClusters(path));
});
