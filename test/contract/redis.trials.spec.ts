import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';
import { Logger } from '@nestjs/common';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { redisBackplane, type RedisBackplaneOptions } from '../../src/sse/backplanes/redis/index.js';
import type { SseBackplane } from '../../src/sse/log/backplane.js';
import type { Position } from '../../src/sse/protocol/position.js';
import type { ChannelOptions } from '../../src/sse/sse.options.js';
import { moduleSettings } from '../../src/sse/sse.settings.js';
import { whenTestEnds } from '../support/clean-up.js';
import { describeWith } from '../support/describe-with.js';
import { eventually } from '../support/eventually.js';
import { RedisServer, type RedisServerOptions } from '../support/redis-server.js';
import { settingsOf, stored } from './backplane.contract.js';
import { LateReader, Listener } from './listener.js';

/** What a Redis may do to the instances that use it: here each is a backplane with connections of its own. */
describeWith('redis-server', 'several instances on one Redis', (path) => {
  const KEEP: ChannelOptions = { history: { count: 100_000 } };
  let server: RedisServer;

  // Of each connection that is lost there is a warning.
  beforeAll(() => Logger.overrideLogger(false));
  afterAll(() => Logger.overrideLogger(true));

  const serve = async (options?: RedisServerOptions): Promise<void> => {
    server = await RedisServer.start(path, options);
    whenTestEnds(() => server.dispose());
  };
  const instance = async (options: RedisBackplaneOptions = {}): Promise<SseBackplane> => {
    const connection = { url: server.url, ...options.connection };
    const { backplane } = await redisBackplane({ ...options, connection })(moduleSettings().limits);
    whenTestEnds(() => backplane.close());
    return backplane;
  };
  const follow = (backplane: SseBackplane, options = KEEP): Promise<Listener> =>
    new Listener(backplane, 'a', settingsOf(options)).ready;
  const append = (backplane: SseBackplane, data: unknown = 'x', options = KEEP): Promise<Position> =>
    backplane.append('a', settingsOf(options), stored(data));
  const kept = async (backplane: SseBackplane): Promise<string[]> =>
    (await backplane.read('a', settingsOf(KEEP), { limit: Infinity })).entries.map(
      ({ event }) => event.data!,
    );
  const dataOf = (listener: Listener): string[] => listener.seen.map(({ event }) => event.data!);
  const texts = (count: number, prefix = ''): string[] =>
    Array.from({ length: count }, (_, i) => `${prefix}${i}`);
  const isAt = (listener: Listener, position: Position) =>
    eventually(() => listener.log.has(position) || listener.log.floor.offset > position.offset);
  /** Whether the instance knows by now that Redis is away. */
  const isRefused = (backplane: SseBackplane): Promise<boolean> =>
    append(backplane).then(
      () => false,
      (error: unknown) => (error as { code?: string }).code === 'PUBLISH_REJECTED',
    );
  const code = (code: string): unknown => expect.objectContaining({ name: 'SseError', code });

  describe('whose notices are late', () => {
    beforeEach(() => serve());

    /** A way to Redis that holds what comes to a connection that subscribes. */
    const lateBy = async (time: number): Promise<number> => {
      const proxy = createServer((client) => {
        const target = connect(server.port, '127.0.0.1');
        let isLate = false;
        client.on('data', (chunk) => {
          isLate ||= chunk.includes('SUBSCRIBE');
          target.write(chunk);
        });
        target.on('data', (chunk) => setTimeout(() => client.write(chunk), isLate ? time : 0));
        for (const socket of [client, target]) socket.on('error', () => undefined);
        client.on('close', () => target.destroy());
      });
      whenTestEnds(() => proxy.close());
      await once(proxy.listen(0, '127.0.0.1'), 'listening');
      return (proxy.address() as AddressInfo).port;
    };

    it('shows every event although a read finds a log that has let go of them already', async () => {
      const few: ChannelOptions = { history: { count: 3 } };
      const other = await instance();
      const first = await append(other, '0', few);
      const late = await instance({ connection: { url: `redis://127.0.0.1:${await lateBy(100)}` } });
      const listener = await follow(late, few);
      const reader = new LateReader(listener);
      const positions = await Promise.all(texts(10).map((text) => append(other, text, few)));
      // A client of the other instance comes to this one, which has heard of nothing yet.
      expect(await listener.locate(positions.at(-1)!)).toEqual(positions.at(-1));
      expect(reader.taken.map(({ event }) => event.data)).toEqual(texts(10));
      expect(listener.told).not.toContain('replaced');
      expect(listener.log.missing(first)).toBe('evicted');
    });
  });

  describe('whose notices are lost', () => {
    beforeEach(() => serve());

    it('shows each instance every event once and in order, however often', async () => {
      const instances = [await instance(), await instance()];
      const listeners = await Promise.all(instances.map((backplane) => follow(backplane)));
      const positions: Position[] = [];
      for (let round = 0; round < 25; round++) {
        const killed = server.command('CLIENT', 'KILL', 'TYPE', 'pubsub');
        for (let n = 0; n < 10; n++)
          positions.push(...(await Promise.all(instances.map((one) => append(one, positions.length)))));
        expect(await killed).toBeGreaterThanOrEqual(0);
      }
      const last = positions.reduce((a, b) => (a.offset > b.offset ? a : b));
      for (const listener of listeners) await isAt(listener, last);
      const offsets = positions.map(({ offset }) => offset).sort((a, b) => a - b);
      expect(listeners.map((listener) => listener.offsets)).toEqual([offsets, offsets]);
      expect(new Set(offsets).size).toBe(500);
      expect(listeners.flatMap(({ told }) => told.filter((what) => typeof what !== 'number'))).toEqual([]);
    });

    it('finds out about the last event, a purge and a completion, which no notice follows', async () => {
      const [one, other] = [await instance(), await instance()];
      const listener = await follow(other);
      const first = await append(one);
      await isAt(listener, first);
      for (const [change, isSeen] of [
        [() => append(one), () => listener.log.head.offset === 2],
        [() => one.purge('a'), () => listener.log.size === 0],
        [() => one.complete('a', settingsOf(KEEP)), () => listener.log.completed],
      ] as const) {
        await server.command('CLIENT', 'KILL', 'TYPE', 'pubsub');
        await change();
        await eventually(isSeen);
      }
      expect(listener.told).toEqual([1, 2, 'completed']);
      expect(listener.log).toMatchObject({ size: 0, floor: { offset: 2 }, head: { offset: 2 } });
    });
  });

  describe('that is stopped and comes back', () => {
    it('goes on where it was when it has all it had', async () => {
      await serve({ persistent: true });
      const [one, other] = [await instance(), await instance()];
      const listener = await follow(other);
      await Promise.all(texts(20, 'before').map((text) => append(one, text)));
      await server.stop();
      const during = Promise.all(texts(20, 'during').map((text) => append(one, text)));
      await server.start();
      const after = await append(other, 'after');
      const last = (await during).at(-1)!;
      await isAt(listener, last.offset > after.offset ? last : after);
      expect(listener.told).not.toContain('replaced');
      expect(dataOf(listener)).toEqual(await kept(one));
      expect([...dataOf(listener)].sort()).toEqual(
        [...texts(20, 'before'), ...texts(20, 'during'), 'after'].sort(),
      );
    });
  });

  describe('that is frozen', () => {
    beforeEach(() => serve());
    afterEach(() => server.thaw());

    it('has stored in the end what was said to be stored, and nothing that came too late', async () => {
      const [one, other] = [await instance({ publishTimeout: 400 }), await instance()];
      const listener = await follow(other);
      const outcomes = new Map<string, PromiseSettledResult<Position>>();
      const publish = async (text: string): Promise<void> => {
        const [outcome] = await Promise.allSettled([append(one, text)]);
        outcomes.set(text, outcome);
      };
      await Promise.all(texts(50, 'before').map(publish));
      const racing = texts(50, 'racing').map(publish);
      server.freeze();
      const late = texts(50, 'late').map(publish);
      await Promise.all([...racing, ...late]);
      server.thaw();
      await publish('after');
      const there = new Set(await kept(other));
      for (const [text, outcome] of outcomes) {
        if (outcome.status === 'fulfilled') expect(there).toContain(text);
        else expect(outcome.reason).toEqual(code('PUBLISH_UNCERTAIN'));
      }
      for (const text of texts(50, 'late')) {
        expect(outcomes.get(text)!.status).toBe('rejected');
        expect(there).not.toContain(text);
      }
      await eventually(() => dataOf(listener).at(-1) === 'after');
      expect(dataOf(listener)).toEqual(await kept(other));
    });

    it('answers a second attempt with the same publishId as it was', async () => {
      const one = await instance({ publishTimeout: 200 });
      const attempt = () => one.append('a', settingsOf(KEEP), stored('x'), 'order-1');
      server.freeze();
      await expect(attempt()).rejects.toEqual(code('PUBLISH_UNCERTAIN'));
      server.thaw();
      const position = await attempt();
      expect(await attempt()).toEqual(position);
      expect(await kept(one)).toEqual(['x']);
    });
  });

  describe('that is away', () => {
    beforeEach(() => serve());

    it('lets calls wait for as long as they may, and stores nothing of those', async () => {
      const one = await instance({ publishTimeout: 150 });
      await append(one, 'before');
      await server.stop();
      await eventually(() => isRefused(one));
      await expect(append(one)).rejects.toEqual(code('PUBLISH_REJECTED'));
      await expect(follow(one)).rejects.toEqual(code('BACKPLANE_AWAY'));
      await expect(one.read('a', settingsOf(), { limit: 1 })).rejects.toEqual(code('BACKPLANE_AWAY'));
      await expect(one.complete('a', settingsOf())).rejects.toEqual(code('BACKPLANE_AWAY'));
      expect(one.stats().channels).toBe(0);
    });

    it('makes calls fail at once where that was chosen', async () => {
      const one = await instance({ publishTimeout: 60_000, whileAway: 'fail' });
      await server.stop();
      await eventually(() => isRefused(one));
      await expect(follow(one)).rejects.toEqual(code('BACKPLANE_AWAY'));
    });

    it('refuses more calls than may wait', async () => {
      const one = await instance({ maxPending: 3 });
      server.freeze();
      const waiting = [append(one), append(one), append(one)];
      await expect(append(one)).rejects.toEqual(code('PUBLISH_REJECTED'));
      server.thaw();
      await Promise.all(waiting);
      await append(one);
      expect(await kept(one)).toHaveLength(4);
    });

    it('does not keep the application from closing', async () => {
      const one = await instance();
      await follow(one);
      server.freeze();
      const call = append(one);
      await Promise.all([expect(call).rejects.toEqual(code('PUBLISH_UNCERTAIN')), one.close()]);
    });
  });
});
