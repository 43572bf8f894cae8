import type { ChannelOptions } from '../sse.options.js';
import type { PlaceOf } from './place.js';
import type { TestGlobals } from './test-globals.js';

export function describeReading(test: TestGlobals, placeOf: PlaceOf): void {
  const { describe, expect, it } = test;
  describe('read', () => {
    /** A channel with some events, and what of them a read gives. */
    async function filled(count: number, options?: ChannelOptions) {
      const place = placeOf(options);
      const offsets: number[] = [];
      for (let n = 0; n < count; n++) offsets.push((await place.append(n)).offset);
      const read = async (range: { after?: number; limit: number }) => {
        const { entries, ...rest } = (await place.backplane.read(place.channel, range))!;
        return { ...rest, data: entries.map(({ event }) => Number(event.data)), entries };
      };
      return { ...place, offsets, read };
    }

    it('gives the newest, oldest first, where no position is named', async () => {
      const { read } = await filled(5);
      expect((await read({ limit: 2 })).data).toEqual([3, 4]);
      expect((await read({ limit: 5 })).data).toEqual([0, 1, 2, 3, 4]);
      expect((await read({ limit: Infinity })).data).toEqual([0, 1, 2, 3, 4]);
    });

    it('gives what follows a position, the oldest first and no more than was asked for', async () => {
      const { read, offsets } = await filled(5);
      expect((await read({ after: offsets[1]!, limit: Infinity })).data).toEqual([2, 3, 4]);
      expect((await read({ after: offsets[1]!, limit: 2 })).data).toEqual([2, 3]);
      expect((await read({ after: 0, limit: 1 })).data).toEqual([0]);
    });

    it('gives nothing after the newest, nor beyond it, and says where the channel is', async () => {
      const { read, offsets } = await filled(3);
      for (const after of [offsets[2]!, offsets[2]! + 1, Number.MAX_SAFE_INTEGER]) {
        expect(await read({ after, limit: 5 })).toMatchObject({ data: [], head: offsets[2] });
      }
    });

    it('begins with what is left when part of the range is gone, and says so', async () => {
      const { read, offsets } = await filled(6, { history: { count: 2 } });
      const { data, floor, head } = await read({ after: offsets[0]!, limit: Infinity });
      expect({ data, head }).toEqual({ data: [4, 5], head: offsets[5] });
      expect(floor).toBeGreaterThan(offsets[0]!);
      expect(floor).toBeGreaterThanOrEqual(offsets[3]!);
      expect(floor).toBeLessThan(offsets[4]!);
    });

    it('says that nothing is gone where nothing is gone', async () => {
      const { read, offsets } = await filled(3);
      expect((await read({ after: offsets[0]!, limit: 1 })).floor).toBeLessThan(offsets[0]!);
    });

    it('gives entries each of which names the one before it', async () => {
      const { read, offsets } = await filled(4);
      const { entries } = await read({ after: offsets[0]!, limit: Infinity });
      expect(entries.map(({ previous }) => previous)).toEqual(offsets.slice(0, 3));
    });

    it('gives undefined of a channel that is not there, and does not make it', async () => {
      const { backplane, channel } = placeOf();
      expect(await backplane.read(channel, { limit: 1 })).toBeUndefined();
      expect(await backplane.read(channel, { after: 7, limit: 1 })).toBeUndefined();
    });

    it('has the events of all calls before it', async () => {
      const { append, kept } = placeOf();
      const appended = append('a');
      expect(await kept()).toEqual(['a']);
      await appended;
    });
  });
}
