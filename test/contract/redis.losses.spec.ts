import { Logger } from '@nestjs/common';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { SseBackplane } from '../../src/sse/log/backplane.js';
import type { Position } from '../../src/sse/protocol/position.js';
import { whenTestEnds } from '../support/clean-up.js';
import { describeWith } from '../support/describe-with.js';
import { eventually } from '../support/eventually.js';
import { MovingAddress } from '../support/moving-address.js';
import { RedisServer } from '../support/redis-server.js';
import { stored } from './backplane.contract.js';
import { both, channelAt, instanceAt, resumed } from './redis.instances.js';

const isDone = (): boolean => true;
const isNotDone = (): boolean => false;

/** What a Redis may lose that it had said to be stored, by itself or by other hands. */
describeWith('redis-server', 'a Redis that has lost events', (path) => {
  let server: RedisServer;
  let one: SseBackplane;

  // Of each connection that is lost there is a warning.
  beforeAll(() => Logger.overrideLogger(false));
  afterAll(() => Logger.overrideLogger(true));

  beforeEach(async () => {
    // Without a delay before a replica is sent what there is.
    server = await RedisServer.start(path, { args: ['--repl-diskless-sync-delay', '0'] });
    whenTestEnds(() => server.dispose());
    one = await instanceAt(server.port);
  });

  const append = async (backplane: SseBackplane, ...data: number[]): Promise<Position[]> => {
    const positions: Position[] = [];
    for (const each of data) positions.push(await channelAt(backplane).append(each));
    return positions;
  };
  const nothingYet = async (): Promise<Position> => (await channelAt(one).read()).head;
  /** It ends with no time to save anything, and is there again. */
  const restart = async (): Promise<void> => {
    await server.stop();
    await server.start();
  };

  describe('as it came back with an older RDB file', () => {
    /** Events 1 to 5 are in the file, 6 to 10 are not. */
    const rewound = async (keep: boolean): Promise<Position[]> => {
      const positions = await append(one, 1, 2, 3, 4, 5);
      await server.command('SAVE');
      positions.push(...(await append(one, 6, 7, 8, 9, 10)));
      if (!keep) await one.close();
      await restart();
      return positions;
    };

    it.each([
      { what: 'nothing', published: [] },
      { what: 'fewer events', published: [11] },
      { what: 'as many events', published: [11, 12, 13] },
      { what: 'more events', published: [11, 12, 13, 14, 15, 16] },
    ])('tells those of a gap who had what is lost, when it has got $what since', async ({ published }) => {
      const positions = await rewound(false);
      const stranger = await instanceAt(server.port);
      const again = await append(stranger, ...published);
      const left = [1, 2, 3, 4, 5, ...published];
      for (const lost of positions.slice(5))
        expect(await resumed(stranger, lost)).toEqual(both('unknown', ...left));
      for (const [i, kept] of [...positions.slice(0, 5), ...again].entries())
        expect(await resumed(stranger, kept)).toEqual(both(undefined, ...left.slice(i + 1)));
    });

    it('tells those of it who stayed', async () => {
      const listener = await channelAt(one).listener();
      const positions = await rewound(true);
      await eventually(() => listener.told.includes('replaced'));
      expect(positions.map((position) => listener.log.has(position))).toEqual([
        ...Array.from({ length: 5 }, () => true),
        ...Array.from({ length: 5 }, () => false),
      ]);
      const [next] = await append(one, 11);
      await eventually(() => listener.log.has(next!));
      expect(next).toEqual({ offset: 6, mark: expect.not.stringMatching(positions[5]!.mark) });
    });

    it('stores an event anew that was lost, under a mark of its own', async () => {
      const publish = () => one.append('a', channelAt(one).settings, stored('x'), 'order-1');
      await append(one, 1);
      await server.command('SAVE');
      const lost = await publish();
      await restart();
      await eventually(() => append(one, 2).then(isDone, isNotDone));
      const [, again] = [await append(one, 3), await publish()];
      expect(again.mark).not.toBe(lost.mark);
      expect(await resumed(one, lost)).toEqual(both('unknown', 1, 2, 3, 'x'));
    });

    it('does not believe a nothing yet when a log was made, and is gone, and another is made', async () => {
      await server.command('SAVE');
      const before = await nothingYet();
      await append(one, 1);
      await restart();
      // Nobody who had not seen the event can be told.
      await eventually(() => append(one, 2).then(isDone, isNotDone));
      expect(await resumed(one, before)).toEqual(both(undefined, 2));
    });
  });

  describe('as all was deleted', () => {
    it('tells those of a gap who had events, by an instance that stayed and by others', async () => {
      const listener = await channelAt(one).listener();
      const positions = await append(one, 1, 2, 3);
      await server.command('FLUSHALL');
      const again = await append(one, 4, 5, 6, 7);
      expect(listener.told).toContain('replaced');
      for (const backplane of [one, await instanceAt(server.port)]) {
        for (const position of positions)
          expect(await resumed(backplane, position)).toEqual(both('unknown', 4, 5, 6, 7));
        expect(await resumed(backplane, again[2]!)).toEqual(both(undefined, 7));
      }
    });

    it('tells those who had nothing yet, who may have missed a log', async () => {
      const before = await nothingYet();
      await append(one, 1);
      await server.command('FLUSHALL');
      expect(await resumed(one, before)).toEqual(both('unknown'));
      await append(one, 2);
      for (const backplane of [one, await instanceAt(server.port)])
        expect(await resumed(backplane, before)).toEqual(both('unknown', 2));
      const after = (await channelAt(one).read()).floor;
      expect(await resumed(one, after)).toEqual(both(undefined, 2));
    });

    it('tells them also when it was another instance that found the store empty', async () => {
      const before = await nothingYet();
      await append(one, 1);
      await one.close();
      await restart();
      const stranger = await instanceAt(server.port);
      await append(stranger, 2);
      expect(await resumed(stranger, before)).toEqual(both('unknown', 2));
    });
  });

  describe('as somebody deleted keys of a channel', () => {
    it.each([
      { what: 'its events', keys: ['log'], reason: 'evicted' },
      { what: 'its state', keys: ['state'], reason: 'unknown' },
      { what: 'both', keys: ['log', 'state'], reason: 'unknown' },
    ])('tells those of a gap who were behind: $what', async ({ keys, reason }) => {
      const positions = await append(one, 1, 2, 3);
      const listener = await channelAt(one).listener();
      await server.command('DEL', ...keys.map((what) => `sse:2:{a}:${what}`));
      for (const published of [[], [4], [4, 5, 6, 7]]) {
        const from = published.length === 4 ? 5 : 4;
        await append(one, ...published.filter((n) => n >= from));
        const stranger = await instanceAt(server.port);
        for (const position of positions.slice(0, 2))
          expect(await resumed(stranger, position)).toEqual(both(reason, ...published));
        // It is known that nothing came after the third where the state is left.
        const last = reason === 'evicted' ? undefined : reason;
        expect(await resumed(stranger, positions[2]!)).toEqual(both(last, ...published));
      }
      expect(listener.told.filter((what) => typeof what !== 'number')).toEqual(
        reason === 'evicted' ? [] : ['replaced'],
      );
    });

    it('tells those of it who are at events before one that was taken out', async () => {
      const positions = await append(one, 1, 2, 3, 4);
      await server.command('XDEL', 'sse:2:{a}:log', '1-0', '2-0');
      const stranger = await instanceAt(server.port);
      expect(await resumed(stranger, positions[0]!)).toEqual(both('evicted', 3, 4));
      expect(await resumed(stranger, positions[1]!)).toEqual(both(undefined, 3, 4));
    });
  });

  it('as its clock was set back, believes no nothing yet of before', async () => {
    const before = await nothingYet();
    // The clock that it had is ahead of the one that it has.
    await server.command('HSET', 'sse:2:store', 'time', String(Date.now() + 60_000));
    expect(await resumed(one, before)).toEqual(both('unknown'));
    const after = await nothingYet();
    await append(one, 1);
    expect(await resumed(one, after)).toEqual(both(undefined, 1));
  });

  it('as a replica took over that had not got the last of them, tells who had those', async () => {
    const replica = await RedisServer.start(path);
    whenTestEnds(() => replica.dispose());
    const address = await MovingAddress.of(server.port);
    whenTestEnds(() => address.close());
    await replica.command('REPLICAOF', '127.0.0.1', String(server.port));
    const stays = await instanceAt(address.port);
    const listener = await channelAt(stays).listener();
    const positions = await append(stays, 1, 2);
    await eventually(async () => Number(await replica.command('XLEN', 'sse:2:{a}:log')) === 2);
    await replica.command('REPLICAOF', 'NO', 'ONE');
    positions.push(...(await append(stays, 3, 4)));
    address.leadTo(replica.port);
    await server.stop();
    await eventually(() => append(stays, 5).then(isDone, isNotDone));
    const again = await append(stays, 6, 7);
    await eventually(() => listener.log.has(again[1]!));
    expect(listener.told).toContain('replaced');
    for (const backplane of [stays, await instanceAt(replica.port)]) {
      for (const lost of positions.slice(2))
        expect(await resumed(backplane, lost)).toEqual(both('unknown', 1, 2, 5, 6, 7));
      expect(await resumed(backplane, positions[1]!)).toEqual(both(undefined, 5, 6, 7));
    }
  });
});
