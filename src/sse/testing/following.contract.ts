import type { PlaceOf, Place } from './place.js';
import { entriesOf, Listener } from './listener.js';
import { stepsOf, type Step } from './steps.js';
import type { TestGlobals } from './test-globals.js';

/** Takes steps without waiting for one before the next, unless a step says so. */
async function taken(place: Place, steps: readonly Step[]) {
  const offsets: Promise<number>[] = [];
  const staying: Listener[] = [];
  const stopped: Promise<{ listener: Listener; toldUntil: number }>[] = [];
  for (const each of steps) {
    if (each === 'append') offsets.push(place.append().then(({ offset }) => offset));
    else if (each === 'follow') staying.push(new Listener(place.backplane, place.channel, place.settings));
    else if (each === 'wait') await Promise.all([...offsets, ...staying.map(({ ready }) => ready)]);
    else if (staying.length > 0) stopped.push(stop(staying.shift()!));
  }
  await Promise.all(staying.map(({ ready }) => ready));
  return { offsets: await Promise.all(offsets), staying, stopped: await Promise.all(stopped) };
}

async function stop(listener: Listener) {
  await listener.ready;
  listener.stop();
  return { listener, toldUntil: listener.told.length };
}

export function describeFollowing(test: TestGlobals, placeOf: PlaceOf): void {
  const { describe, expect, it } = test;
  describe('follow', () => {
    it('makes a channel that is not there, at its beginning and with nothing in it', async () => {
      const { listener, settings } = placeOf();
      const { log } = await listener();
      expect(log).toMatchObject({ size: 0, bytes: 0, completed: false, limits: settings.history });
      expect(log.floor).toBe(log.head);
    });

    it('hands over a log that has what was appended before, and tells nothing of that', async () => {
      const { append, listener } = placeOf();
      const positions = [await append('a'), await append('b')];
      const follower = await listener();
      expect(follower.seen.map(({ event }) => event.data)).toEqual(['a', 'b']);
      expect(follower.offsets).toEqual(positions.map(({ offset }) => offset));
      expect(follower.log).toMatchObject({ epoch: positions[0]!.epoch, head: positions[1]!.offset });
      expect(follower.told).toEqual([]);
    });

    it('tells of each entry before append resolves, in order, each with the one before it', async () => {
      const { append, listener } = placeOf();
      const first = await append();
      const follower = await listener();
      const offsets: number[] = [first.offset];
      for (let n = 0; n < 5; n++) {
        offsets.push((await append()).offset);
        expect(follower.told).toEqual(offsets.slice(1));
      }
      expect(follower.seen.slice(1).map(({ previous }) => previous)).toEqual(offsets.slice(0, -1));
    });

    it('has each entry in the log before it tells of it', async () => {
      const { append, listener } = placeOf({ history: { count: 3 } });
      const follower = await listener();
      await Promise.all(Array.from({ length: 20 }, () => append()));
      expect(follower.told).toHaveLength(20);
      expect(follower.early).toEqual([]);
    });

    it('keeps the log within the limits of the channel', async () => {
      const { append, listener } = placeOf({ history: { count: 3 } });
      const follower = await listener();
      const positions = await Promise.all(Array.from({ length: 8 }, () => append()));
      const offsets = positions.map(({ offset }) => offset);
      expect(entriesOf(follower.log).map(({ offset }) => offset)).toEqual(offsets.slice(-3));
      expect(follower.log).toMatchObject({ floor: offsets[4], head: offsets[7] });
    });

    it('has some of the newest in the log also where the channel has no history', async () => {
      const { append, listener } = placeOf({ history: 0 });
      const follower = await listener();
      const positions = await Promise.all(Array.from({ length: 5 }, () => append()));
      expect(entriesOf(follower.log).map(({ offset }) => offset)).toEqual(
        positions.map(({ offset }) => offset),
      );
    });

    it('tells everybody who follows', async () => {
      const { append, listener } = placeOf();
      const followers = await Promise.all(Array.from({ length: 10 }, () => listener()));
      const { offset } = await append();
      expect(followers.map(({ told }) => told)).toEqual(followers.map(() => [offset]));
    });

    it('shows no hole and no double to those who come and go while others publish', async () => {
      for (let seed = 1; seed <= 50; seed++) {
        const { offsets, staying, stopped } = await taken(
          placeOf({ history: { count: 1_000 } }),
          stepsOf(seed),
        );
        // With the seed, for the message.
        for (const listener of staying)
          expect({ seed, offsets: listener.offsets }).toEqual({ seed, offsets });
        for (const { listener, toldUntil } of stopped) {
          expect({ seed, told: listener.told.length }).toEqual({ seed, told: toldUntil });
          expect({ seed, offsets: listener.offsets }).toEqual({
            seed,
            offsets: offsets.slice(0, listener.offsets.length),
          });
        }
      }
    }, 20_000);

    it('does not tell those of an entry who began to follow when another was told of it', async () => {
      const place = placeOf();
      const follower = await place.listener();
      const late: Listener[] = [];
      follower.appended = () => late.push(new Listener(place.backplane, place.channel, place.settings));
      const { offset } = await place.append();
      await Promise.all(late.map(({ ready }) => ready));
      follower.stop();
      const next = await place.append();
      expect(late.map(({ offsets, told }) => ({ offsets, told }))).toEqual([
        { offsets: [offset, next.offset], told: [next.offset] },
      ]);
    });
  });

  describe('stop', () => {
    it('ends the telling, of that one only, and may come twice', async () => {
      const { append, listener } = placeOf();
      const [one, other] = [await listener(), await listener()];
      const first = await append();
      one.stop();
      one.stop();
      const second = await append();
      expect([one.told, other.told]).toEqual([[first.offset], [first.offset, second.offset]]);
    });

    it('ends the telling of the completion too', async () => {
      const { backplane, channel, settings, listener } = placeOf();
      const [one, other] = [await listener(), await listener()];
      one.stop();
      await backplane.complete(channel, settings);
      expect([one.told, other.told]).toEqual([[], ['completed']]);
    });

    it('holds at once, also in the middle of a telling', async () => {
      const { append, listener } = placeOf();
      const [one, other] = [await listener(), await listener()];
      one.appended = () => other.stop();
      await append();
      await append();
      expect(other.told).toEqual([]);
    });

    it('leaves the channel to those who come again', async () => {
      const { append, listener } = placeOf();
      const one = await listener();
      const first = await append();
      one.stop();
      const second = await append();
      const again = await listener();
      expect(again.offsets).toEqual([first.offset, second.offset]);
      expect(again.log.epoch).toBe(second.epoch);
    });
  });
}
