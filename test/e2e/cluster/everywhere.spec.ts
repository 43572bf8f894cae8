import { Logger } from '@nestjs/common';
import { describe, expect, it, jest } from '@jest/globals';
import { MemoryBackplane } from '../../../src/sse/backplanes/memory/memory.backplane.js';
import { MemoryBus, MemoryCluster } from '../../../src/sse/backplanes/memory/memory.cluster.js';
import type { SseCluster } from '../../../src/sse/index.js';
import type { TestStream } from '../../../src/sse/testing/index.js';
import { whenTestEnds } from '../../support/clean-up.js';
import { describeWith } from '../../support/describe-with.js';
import { redisClusters } from '../../support/redis-clusters.js';
import { startSseApp, untilConnections, type SseApp } from '../../support/sse-app.js';
import { listen } from '../../support/open-stream.js';

const routes = {
  a: (hub: SseApp['hub']) => hub.stream('a'),
  b: (hub: SseApp['hub']) => hub.stream('b'),
};

/** Instances whose logs are their own, as nothing here is published. */
const startInstance = (make: () => SseCluster | Promise<SseCluster>): Promise<SseApp> =>
  startSseApp({
    routes,
    sse: {
      backplane: async (limits) => ({ backplane: new MemoryBackplane(limits), cluster: await make() }),
    },
  });

/** Opens as many streams of the channels `a` and `b`. */
async function open({ url, hub }: SseApp, a: number, b: number): Promise<TestStream[]> {
  const paths = [...Array<string>(a).fill('a'), ...Array<string>(b).fill('b')];
  const clients = await Promise.all(paths.map((path) => listen(`${url}/${path}`)));
  await untilConnections(hub, a + b);
  return clients;
}

function warnings(): string[] {
  const heard: string[] = [];
  const spy = jest.spyOn(Logger.prototype, 'warn').mockImplementation((text: unknown) => {
    heard.push(String(text));
  });
  whenTestEnds(() => spy.mockRestore());
  return heard;
}

function describeEverywhere(makeCluster: () => Promise<() => SseCluster | Promise<SseCluster>>): void {
  it('are counted on all instances, or on this one', async () => {
    const make = await makeCluster();
    const [one, other, third] = [
      await startInstance(make),
      await startInstance(make),
      await startInstance(make),
    ];
    await open(one, 1, 0);
    await open(other, 2, 1);
    for (const { hub } of [one, other, third]) {
      expect(await hub.subscriberCount('a', { everywhere: true })).toBe(3);
      expect(await hub.subscriberCount('b', { everywhere: true })).toBe(1);
      expect(await hub.connections({ everywhere: true })).toHaveLength(4);
      expect(await hub.connections({ everywhere: true, channel: 'a' })).toHaveLength(3);
    }
    expect(await one.hub.subscriberCount('a')).toBe(1);
    expect(await one.hub.subscriberCount('a', { everywhere: false })).toBe(1);
    expect(await one.hub.connections({ channel: 'b' })).toEqual([]);
  });

  it('are told of as where they are', async () => {
    const make = await makeCluster();
    const [one, other] = [await startInstance(make), await startInstance(make)];
    await open(one, 1, 0);
    await open(other, 0, 1);
    const [here] = await one.hub.connections();
    const [there] = await other.hub.connections();
    expect(there).toMatchObject({ channels: ['b'], path: '/b', connectedAt: expect.any(Date) as unknown });
    expect(here!.instance).not.toBe(there!.instance);
    expect(await one.hub.connections({ everywhere: true })).toEqual([here, there]);
    expect(await other.hub.connections({ everywhere: true })).toEqual([there, here]);
    expect(await one.hub.connections({ everywhere: true, id: there!.id })).toEqual([there]);
  });

  it('are ended wherever they are', async () => {
    const make = await makeCluster();
    const [one, other] = [await startInstance(make), await startInstance(make)];
    const [a] = await open(one, 1, 0);
    const [otherA, b] = await open(other, 1, 1);
    expect(await one.hub.disconnect({ channel: 'a' })).toEqual({ ended: 2, away: [] });
    expect([await a!.ended(), await otherA!.ended()]).toEqual(['ended', 'ended']);
    expect(await one.hub.disconnect({ channel: 'a' })).toEqual({ ended: 0, away: [] });
    const [info] = await other.hub.connections();
    expect(await one.hub.disconnect({ id: info!.id })).toEqual({ ended: 1, away: [] });
    expect(await b!.ended()).toBe('ended');
  });
}

describe('connections of several instances', () => {
  describeEverywhere(async () => {
    const bus = new MemoryBus();
    return () => new MemoryCluster(bus);
  });

  it('are left out, with a warning, when their instance does not answer within a second', async () => {
    const bus = new MemoryBus();
    const make = (): MemoryCluster => new MemoryCluster(bus);
    const [one, other] = [await startInstance(make), await startInstance(make)];
    const silent = make();
    await open(one, 1, 0);
    await open(other, 1, 0);
    const warned = warnings();
    const askedAt = Date.now();
    expect(await one.hub.subscriberCount('a', { everywhere: true })).toBe(2);
    expect(Date.now() - askedAt).toBeGreaterThanOrEqual(999);
    expect(warned).toEqual([expect.stringContaining(silent.instance)]);
  });

  it('are left out when their instance said a part of them only', async () => {
    const bus = new MemoryBus();
    const one = await startInstance(() => new MemoryCluster(bus));
    const half = new MemoryCluster(bus);
    half.listen('sse-hub', (message) => {
      const { id, question } = message as { id: string; question?: unknown };
      if (question) void half.broadcast('sse-hub', { id, items: [7], isLast: false });
    });
    const warned = warnings();
    expect(await one.hub.subscriberCount('a', { everywhere: true })).toBe(0);
    expect(warned).toHaveLength(1);
  });

  it('are no secret to an instance that cannot answer what a newer one asks', async () => {
    const bus = new MemoryBus();
    const one = await startInstance(() => new MemoryCluster(bus));
    const newer = new MemoryCluster(bus);
    const warned = warnings();
    await newer.broadcast('sse-hub', { id: 'x', question: { about: 'weather' } });
    await newer.broadcast('sse-hub', { id: 'x', question: { about: 'disconnect', filter: { mood: 1 } } });
    expect(warned).toHaveLength(2);
    expect(await one.hub.subscriberCount('a')).toBe(0);
  });

  it('of one instance are known without waiting', async () => {
    const { hub } = await startSseApp({ routes });
    const timers = jest.spyOn(globalThis, 'setTimeout');
    whenTestEnds(() => timers.mockRestore());
    expect(await hub.subscriberCount('a', { everywhere: true })).toBe(0);
    expect(await hub.connections({ everywhere: true })).toEqual([]);
    expect(await hub.disconnect({ channel: 'a' })).toEqual({ ended: 0, away: [] });
    expect(timers).not.toHaveBeenCalled();
  });

  it('are asked for with options that are right', async () => {
    const { hub } = await startSseApp({ routes });
    const refusal = { name: 'SseError', code: 'INVALID_OPTIONS' };
    for (const wrong of [{ everywhere: 'yes' }, { anywhere: true }, null] as never[]) {
      await expect(hub.subscriberCount('a', wrong)).rejects.toMatchObject(refusal);
      await expect(hub.connections(wrong)).rejects.toMatchObject(refusal);
      await expect(hub.disconnect(wrong)).rejects.toMatchObject(refusal);
    }
  });
});

describeWith('redis-server', 'connections of several instances that share a Redis', (path) => {
  describeEverywhere(() => redisClusters(path));
});
