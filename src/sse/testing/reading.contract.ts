import { newMark } from '../log/mark.js';
import type { RangeQuery } from '../log/backplane.js';
import type { Position } from '../protocol/position.js';
import type { ChannelOptions } from '../sse.options.js';
import { dataOf, positionsOf, type MakeChannel } from './channel-under-test.js';
import type { TestGlobals } from './test-globals.js';

export function describeReading(test: TestGlobals, make: MakeChannel): void {
  const { describe, expect, it } = test;
  describe('read', () => {
    /** A channel with so many events, whose data are the numbers from 0 on, and the data that a query gives. */
    async function filled(count: number, options?: ChannelOptions) {
      const channel = make(options);
      const positions = await channel.appendNumbers(count);
      const read = async (query: Partial<RangeQuery>) => {
        const { entries, missing } = await channel.read(query);
        return missing ? { data: dataOf(entries), missing } : { data: dataOf(entries) };
      };
      /** An event at that offset which this log never had. */
      const another = (n: number): Position => ({ offset: positions[n]!.offset, mark: newMark() });
      const beyond = { offset: positions.at(-1)!.offset + 1_000, mark: newMark() };
      return { ...channel, positions, data: read, another, beyond };
    }

    it('gives the newest, oldest first, where no position is named', async () => {
      const { data } = await filled(5);
      expect(await data({ limit: 2 })).toEqual({ data: [3, 4] });
      expect(await data({ limit: 5 })).toEqual({ data: [0, 1, 2, 3, 4] });
      expect(await data({ limit: Infinity })).toEqual({ data: [0, 1, 2, 3, 4] });
    });

    it('gives what follows a position, the oldest first and no more than was asked for', async () => {
      const { data, positions, read } = await filled(5);
      expect(await data({ after: positions[1]! })).toEqual({ data: [2, 3, 4] });
      expect(await data({ after: positions[1]!, limit: 2 })).toEqual({ data: [2, 3] });
      expect(await data({ after: positions[4]!, limit: 2 })).toEqual({ data: [] });
      const { floor } = await read();
      expect(await data({ after: floor, limit: 1 })).toEqual({ data: [0] });
    });

    it('gives what leads up to a position and its event, the newest of it, oldest first', async () => {
      const { data, positions, read } = await filled(5);
      expect(await data({ upTo: positions[2]! })).toEqual({ data: [0, 1, 2] });
      expect(await data({ upTo: positions[2]!, limit: 2 })).toEqual({ data: [1, 2] });
      expect(await data({ upTo: positions[0]!, limit: 2 })).toEqual({ data: [0] });
      expect(await data({ upTo: positions[4]!, limit: 1 })).toEqual({ data: [4] });
      const { floor } = await read();
      expect(await data({ upTo: floor, limit: 2 })).toEqual({ data: [] });
    });

    it('gives what lies between two positions, from the first on', async () => {
      const { data, positions, another } = await filled(6);
      const [after, upTo] = [positions[0]!, positions[3]!];
      expect(await data({ after, upTo })).toEqual({ data: [1, 2, 3] });
      expect(await data({ after, upTo, limit: 2 })).toEqual({ data: [1, 2] });
      expect(await data({ after, upTo: after })).toEqual({ data: [] });
      expect(await data({ after: upTo, upTo: after })).toEqual({ data: [] });
      expect(await data({ after, upTo: another(3) })).toEqual({ data: [1, 2, 3, 4, 5], missing: 'unknown' });
      expect(await data({ after: another(0), upTo })).toEqual({ data: [0, 1, 2, 3], missing: 'unknown' });
    });

    it('can be paged through in both directions, from any page on', async () => {
      const { read, positions } = await filled(10);
      const { floor } = await read();
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

    it('gives all that is left where the events after a position are gone, and says so', async () => {
      const { data, read, positions } = await filled(6, { history: { count: 2 } });
      expect(await data({ after: positions[0]! })).toEqual({ data: [4, 5], missing: 'evicted' });
      expect(await data({ after: positions[2]!, limit: 1 })).toEqual({ data: [4], missing: 'evicted' });
      expect(await data({ after: positions[3]! })).toEqual({ data: [4, 5] });
      expect(await data({ upTo: positions[1]!, limit: 1 })).toEqual({ data: [5], missing: 'evicted' });
      expect(await data({ upTo: positions[3]! })).toEqual({ data: [] });
      expect(await data({ upTo: positions[4]! })).toEqual({ data: [4] });
      const { floor, head, entries } = await read();
      expect({ floor, head }).toEqual({ floor: positions[3], head: positions[5] });
      expect(entries[0]!.previous).toEqual(floor);
    });

    it('does not believe a position that names another event, or one that was never there', async () => {
      const { data, another, beyond } = await filled(3);
      for (const position of [another(0), another(1), another(2), beyond]) {
        expect(await data({ after: position })).toEqual({ data: [0, 1, 2], missing: 'unknown' });
        expect(await data({ upTo: position, limit: 2 })).toEqual({ data: [1, 2], missing: 'unknown' });
      }
    });

    it('begins after the newest event when all were purged, once or twice', async () => {
      const { data, read, purge, append, positions } = await filled(3);
      await purge();
      expect(await read()).toMatchObject({ floor: positions[2], head: positions[2], entries: [] });
      expect(await data({ after: positions[2]! })).toEqual({ data: [] });
      expect(await data({ after: positions[1]! })).toEqual({ data: [], missing: 'evicted' });
      await purge();
      expect(await read()).toMatchObject({ floor: positions[2], head: positions[2], entries: [] });
      const next = await append('next');
      expect(next.offset).toBeGreaterThan(positions[2]!.offset);
      expect(next.mark === positions[2]!.mark).toBe(false);
      expect(await read()).toMatchObject({ floor: positions[2], head: next });
      expect(await data({ after: positions[2]! })).toEqual({ data: ['next'] });
      expect(await data({ after: positions[1]! })).toEqual({ data: ['next'], missing: 'evicted' });
      expect((await read()).entries[0]!.previous).toEqual(positions[2]);
    });

    it('gives entries with their positions, each of which names the one before it', async () => {
      const { read, positions } = await filled(4);
      const { entries, floor, head } = await read();
      expect(positionsOf(entries)).toEqual(positions);
      expect(head).toEqual(positions[3]);
      expect(entries.map(({ previous }) => previous)).toEqual([floor, ...positions.slice(0, 3)]);
      const after = await read({ after: positions[1]!, limit: 1 });
      expect(after.entries[0]!.previous).toEqual(positions[1]);
    });

    it('gives the events of a completed channel', async () => {
      const { data, complete, positions } = await filled(3);
      await complete();
      expect(await data({})).toEqual({ data: [0, 1, 2] });
      expect(await data({ after: positions[0]! })).toEqual({ data: [1, 2] });
      expect(await data({ after: positions[2]! })).toEqual({ data: [] });
    });

    it('has the events of all calls before it', async () => {
      const { append, kept } = make();
      const appended = append('a');
      expect(await kept()).toEqual(['a']);
      await appended;
    });
  });
}
