import type { RangeQuery } from '../../log/backplane.js';
import type { Position } from '../../protocol/position.js';
import {
  dataOf,
  numbers,
  positionsOf,
  type ChannelUnderTest,
  type MakeChannel,
} from './channel-under-test.js';
import { entriesOf } from './listener.js';
import type { TestGlobals } from './test-globals.js';

/** A mark that no event has: marks are random. */
const OTHER_MARK = 'another0';

/** Fills a channel with so many events, whose data are the numbers from 0 on. */
async function filled(count: number, channel: ChannelUnderTest) {
  const positions = await channel.appendNumbers(count);
  /** The data that a query gives, and why the position that it names is not there. */
  const data = async (query: Partial<RangeQuery>) => {
    const { entries, missing } = await channel.read(query);
    return { data: dataOf(entries), missing };
  };
  /** An event at that offset which this log never had. */
  const another = (n: number): Position => ({ offset: positions[n]!.offset, mark: OTHER_MARK });
  return { ...channel, positions, data, another };
}

export function describeReading({ describe, expect, it }: TestGlobals, make: MakeChannel): void {
  describe('read', () => {
    it('gives the newest, oldest first, where no position is named', async () => {
      const { data } = await filled(5, make());
      expect(await data({ limit: 2 })).toEqual({ data: [3, 4] });
      expect(await data({ limit: 5 })).toEqual({ data: [0, 1, 2, 3, 4] });
      expect(await data({ limit: Infinity })).toEqual({ data: [0, 1, 2, 3, 4] });
    });

    it('gives what follows a position, the oldest first and no more than was asked for', async () => {
      const { data, positions, read } = await filled(5, make());
      expect(await data({ after: positions[1]! })).toEqual({ data: [2, 3, 4] });
      expect(await data({ after: positions[1]!, limit: 2 })).toEqual({ data: [2, 3] });
      expect(await data({ after: positions[4]!, limit: 2 })).toEqual({ data: [] });
      const { floor } = await read();
      expect(await data({ after: floor, limit: 1 })).toEqual({ data: [0] });
    });

    it('gives what leads up to a position and its event, the newest of it, oldest first', async () => {
      const { data, positions, read } = await filled(5, make());
      expect(await data({ upTo: positions[2]! })).toEqual({ data: [0, 1, 2] });
      expect(await data({ upTo: positions[2]!, limit: 2 })).toEqual({ data: [1, 2] });
      expect(await data({ upTo: positions[0]!, limit: 2 })).toEqual({ data: [0] });
      expect(await data({ upTo: positions[4]!, limit: 1 })).toEqual({ data: [4] });
      const { floor } = await read();
      expect(await data({ upTo: floor, limit: 2 })).toEqual({ data: [] });
    });

    it('gives what lies between two positions, from the first on', async () => {
      const { data, positions, another } = await filled(6, make());
      const [after, upTo] = [positions[0]!, positions[3]!];
      expect(await data({ after, upTo })).toEqual({ data: [1, 2, 3] });
      expect(await data({ after, upTo, limit: 2 })).toEqual({ data: [1, 2] });
      expect(await data({ after, upTo: after })).toEqual({ data: [] });
      expect(await data({ after: upTo, upTo: after })).toEqual({ data: [] });
      expect(await data({ after, upTo: another(3) })).toEqual({ data: [1, 2, 3, 4, 5], missing: 'unknown' });
      expect(await data({ after: another(0), upTo })).toEqual({ data: [0, 1, 2, 3], missing: 'unknown' });
    });

    it('can be paged through in both directions, from any page on, as each entry names the one before', async () => {
      const { read, positions } = await filled(10, make());
      const { entries: all, floor, head } = await read();
      expect([positionsOf(all), head]).toEqual([positions, positions[9]]);
      expect(all.map(({ previous }) => previous)).toEqual([floor, ...positions.slice(0, 9)]);
      const forth: Position[] = [];
      const back: Position[] = [];
      for (let after = floor; after.offset < positions[9]!.offset; after = forth.at(-1)!) {
        const { entries, missing } = await read({ after, limit: 3 });
        expect(missing).toBeUndefined();
        expect(entries[0]!.previous).toEqual(after);
        forth.push(...positionsOf(entries));
      }
      for (let upTo = positions[9]!; upTo.offset > floor.offset;) {
        const { entries, missing } = await read({ upTo, limit: 3 });
        expect(missing).toBeUndefined();
        back.unshift(...positionsOf(entries));
        upTo = entries[0]!.previous;
      }
      expect([forth, back]).toEqual([positions, positions]);
    });

    it('has the events of all calls before it', async () => {
      const { append, kept } = make();
      const appended = append('a');
      expect(await kept()).toEqual(['a']);
      await appended;
    });
  });

  describe('a log, followed and read,', () => {
    it('holds the events that it has, and no other at their offsets or beyond', async () => {
      const { positions, data, another, append, listener } = await filled(4, make());
      const follower = await listener();
      const { log } = follower;
      for (const position of positions)
        expect([log.has(position), log.missing(position)]).toEqual([true, undefined]);
      const beyond = { offset: positions[3]!.offset + 1_000, mark: OTHER_MARK };
      for (const position of [...numbers(4).map(another), beyond]) {
        expect(await follower.locate(position)).toBeUndefined();
        expect(log.missing(position)).toBe('unknown');
        expect(await data({ after: position })).toEqual({ data: [0, 1, 2, 3], missing: 'unknown' });
        expect(await data({ upTo: position, limit: 2 })).toEqual({ data: [2, 3], missing: 'unknown' });
      }
      expect((await append()).offset).toBeGreaterThan(positions[3]!.offset);
    });

    it('holds the very last event that it let go of, also for a purge, and none before', async () => {
      const channel = make({ history: { count: 2 } });
      const early = await channel.listener();
      const { positions, data, another } = await filled(6, channel);

      /** All ways to ask agree on the first event that is held. Those after it are kept. */
      const holdsFrom = async (floor: number): Promise<void> => {
        const left = numbers(6).slice(floor + 1);
        const bounds = { floor: positions[floor], head: positions[5] };
        const range = await channel.read();
        expect(range).toMatchObject(bounds);
        expect(dataOf(range.entries)).toEqual(left);
        expect(range.entries[0]?.previous).toEqual(left.length > 0 ? bounds.floor : undefined);
        for (const follower of [early, await channel.listener()]) {
          const { log } = follower;
          expect(log).toMatchObject({ ...bounds, size: left.length });
          expect(entriesOf(log)[0]?.previous).toEqual(range.entries[0]?.previous);
          expect(positions.map((position) => log.has(position))).toEqual(numbers(6).map((n) => n >= floor));
          expect(positions.map((position) => log.missing(position))).toEqual(
            numbers(6).map((n) => (n < floor ? 'evicted' : undefined)),
          );
          expect(log.has(another(floor))).toBe(false);
          expect(await follower.locate(positions[0]!)).toBeUndefined();
        }
        for (const [n, position] of positions.entries()) {
          const missing = n < floor ? 'evicted' : undefined;
          const after = missing ? left : left.filter((each) => each > n);
          const upTo = missing ? left : left.filter((each) => each <= n);
          expect(await data({ after: position })).toEqual({ data: after, missing });
          expect(await data({ after: position, limit: 1 })).toEqual({ data: after.slice(0, 1), missing });
          expect(await data({ upTo: position })).toEqual({ data: upTo, missing });
          expect(await data({ upTo: position, limit: 1 })).toEqual({ data: upTo.slice(-1), missing });
        }
      };

      await holdsFrom(3);
      await channel.purge();
      await holdsFrom(5);
      await channel.purge();
      await holdsFrom(5);
      const next = await channel.append('next');
      expect(next.offset).toBeGreaterThan(positions[5]!.offset);
      expect(next.mark).not.toBe(positions[5]!.mark);
      expect(await channel.read()).toMatchObject({
        floor: positions[5],
        head: next,
        entries: [{ previous: positions[5] }],
      });
      expect(await data({ after: positions[5]! })).toEqual({ data: ['next'] });
      expect(await data({ after: positions[4]! })).toEqual({ data: ['next'], missing: 'evicted' });
    });
  });
}
