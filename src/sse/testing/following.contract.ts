import { newMark } from '../log/mark.js';
import type { Position } from '../protocol/position.js';
import { dataOf, positionsOf, type ChannelUnderTest, type MakeChannel } from './channel-under-test.js';
import { entriesOf, LateReader, Listener } from './listener.js';
import { stepsOf, type Step } from './random-steps.js';
import type { TestGlobals } from './test-globals.js';

/** Takes steps without waiting for one before the next, unless a step says so. */
async function taken({ backplane, channel, settings, append }: ChannelUnderTest, steps: readonly Step[]) {
  const positions: Promise<Position>[] = [];
  const staying: Listener[] = [];
  const stopped: Promise<{ listener: Listener; toldUntil: number }>[] = [];
  for (const each of steps) {
    if (each === 'append') positions.push(append());
    else if (each === 'follow') staying.push(new Listener(backplane, channel, settings));
    else if (each === 'wait') await Promise.all([...positions, ...staying.map(({ ready }) => ready)]);
    else if (staying.length > 0) stopped.push(stop(staying.shift()!));
  }
  await Promise.all(staying.map(({ ready }) => ready));
  return { positions: await Promise.all(positions), staying, stopped: await Promise.all(stopped) };
}

async function stop(listener: Listener) {
  await listener.ready;
  listener.stop();
  return { listener, toldUntil: listener.told.length };
}

const offsetsOf = (positions: readonly Position[]): number[] => positions.map(({ offset }) => offset);

export function describeFollowing(test: TestGlobals, make: MakeChannel): void {
  describeTelling(test, make);
  describeHolding(test, make);
  describeOffering(test, make);
  describeStopping(test, make);
}

function describeTelling(test: TestGlobals, make: MakeChannel): void {
  const { describe, expect, it } = test;
  describe('follow', () => {
    it('hands over a log that has what was appended before, and tells nothing of that', async () => {
      const { append, listener } = make();
      const positions = [await append('a'), await append('b')];
      const follower = await listener();
      expect(dataOf(follower.seen)).toEqual(['a', 'b']);
      expect(positionsOf(follower.seen)).toEqual(positions);
      expect(follower.log.head).toEqual(positions[1]);
      expect(follower.told).toEqual([]);
    });

    it('tells of each entry before append resolves, in order, each with the one before it', async () => {
      const { append, listener } = make();
      const positions = [await append()];
      const follower = await listener();
      for (let n = 0; n < 5; n++) {
        positions.push(await append());
        expect(follower.told).toEqual(offsetsOf(positions.slice(1)));
      }
      expect(positionsOf(follower.seen)).toEqual(positions);
      expect(follower.seen.slice(1).map(({ previous }) => previous)).toEqual(positions.slice(0, -1));
    });

    it('has each entry in the log before it tells of it, within the limits of the channel', async () => {
      const { append, listener } = make({ history: { count: 3 } });
      const follower = await listener();
      const positions = await Promise.all(Array.from({ length: 8 }, () => append()));
      expect(positionsOf(entriesOf(follower.log))).toEqual(positions.slice(-3));
      expect({ floor: follower.log.floor, head: follower.log.head }).toEqual({
        floor: positions[4],
        head: positions[7],
      });
      expect(follower.told).toEqual(offsetsOf(positions));
      expect(follower.early).toEqual([]);
    });

    it('has some of the newest in the log also where the channel has no history', async () => {
      const { append, listener } = make({ history: 0 });
      const follower = await listener();
      const positions = await Promise.all(Array.from({ length: 5 }, () => append()));
      expect(positionsOf(entriesOf(follower.log))).toEqual(positions);
    });

    it('shows no hole and no double to those who come and go while others publish', async () => {
      for (let seed = 1; seed <= 50; seed++) {
        const channel = make({ history: { count: 1_000 } });
        const { positions, staying, stopped } = await taken(channel, stepsOf(seed));
        // With the seed, for the message.
        for (const { seen } of staying)
          expect({ seed, positions: positionsOf(seen) }).toEqual({ seed, positions });
        for (const { listener, toldUntil } of stopped) {
          expect({ seed, told: listener.told.length }).toEqual({ seed, told: toldUntil });
          expect({ seed, positions: positionsOf(listener.seen) }).toEqual({
            seed,
            positions: positions.slice(0, listener.seen.length),
          });
        }
      }
    }, 20_000);

    it('does not tell those of an entry who began to follow when another was told of it', async () => {
      const { backplane, channel, settings, append, listener } = make();
      const follower = await listener();
      const late: Listener[] = [];
      follower.appended = () => late.push(new Listener(backplane, channel, settings));
      const { offset } = await append();
      await Promise.all(late.map(({ ready }) => ready));
      follower.stop();
      const next = await append();
      expect(late.map(({ offsets, told }) => ({ offsets, told }))).toEqual([
        { offsets: [offset, next.offset], told: [next.offset] },
      ]);
    });

    it('tells everybody in order also when one of them publishes while it is told', async () => {
      const { append, listener } = make();
      const [one, other] = [await listener(), await listener()];
      const answers: Promise<Position>[] = [];
      one.appended = ({ event }) => {
        if (event.data === 'question') answers.push(append('answer'));
      };
      const positions = [await append('question'), ...(await Promise.all(answers))];
      expect(other.told).toEqual(offsetsOf(positions));
      expect(dataOf(other.seen)).toEqual(['question', 'answer']);
      expect(other.early).toEqual([]);
    });
  });
}

function describeHolding(test: TestGlobals, make: MakeChannel): void {
  const { describe, expect, it } = test;
  describe('the log that is followed', () => {
    const elsewhere = ({ offset }: Position): Position => ({ offset, mark: newMark() });

    it('holds the events that it has, and no other at their offsets', async () => {
      const { appendNumbers, listener } = make();
      const positions = await appendNumbers(4);
      const follower = await listener();
      for (const position of positions) {
        expect(follower.log.has(position)).toBe(true);
        expect(follower.log.missing(position)).toBeUndefined();
        expect(await follower.locate(elsewhere(position))).toBeUndefined();
        expect(follower.log.missing(elsewhere(position))).toBe('unknown');
      }
    });

    it('holds no event beyond its newest', async () => {
      const { append, listener } = make();
      const { offset } = await append();
      const follower = await listener();
      const position = { offset: offset + 1_000, mark: newMark() };
      expect(await follower.locate(position)).toBeUndefined();
      expect(follower.log.missing(position)).toBe('unknown');
      expect((await append()).offset).toBeGreaterThan(offset);
    });

    it('holds the very last event that it let go of, and none before', async () => {
      const { appendNumbers, listener } = make({ history: { count: 2 } });
      const early = await listener();
      const positions = await appendNumbers(5);
      for (const follower of [early, await listener()]) {
        const { log } = follower;
        expect(log.floor).toEqual(positions[2]);
        expect(positions.map((position) => log.has(position))).toEqual([false, false, true, true, true]);
        expect(log.has(elsewhere(positions[2]!))).toBe(false);
        expect(positions.map((position) => log.missing(position))).toEqual([
          ...['evicted', 'evicted'],
          ...[undefined, undefined, undefined],
        ]);
        expect(entriesOf(log)[0]!.previous).toEqual(log.floor);
        expect(await follower.locate(positions[0]!)).toBeUndefined();
      }
    });

    it('holds its newest event when all were purged, and none before', async () => {
      const { appendNumbers, purge, listener } = make();
      const early = await listener();
      const positions = await appendNumbers(3);
      await purge();
      for (const follower of [early, await listener()]) {
        const { log } = follower;
        expect({ floor: log.floor, head: log.head, size: log.size }).toEqual({
          floor: positions[2],
          head: positions[2],
          size: 0,
        });
        expect(positions.map((position) => log.missing(position))).toEqual(['evicted', 'evicted', undefined]);
        expect(log.has(elsewhere(positions[2]!))).toBe(false);
      }
    });

    it('has no position of another channel', async () => {
      const [one, other] = [make(), make()];
      const [position] = await one.appendNumbers(1);
      await other.appendNumbers(1);
      expect(await (await other.listener()).locate(position!)).toBeUndefined();
    });
  });
}

function describeOffering(test: TestGlobals, make: MakeChannel): void {
  const { describe, expect, it } = test;
  describe('leaving', () => {
    it('is told before large events push out one that was not read yet', async () => {
      const { append, listener } = make();
      const follower = await listener();
      const reader = new LateReader(follower);
      const data = [400_000, 700_000, 900_000].map((bytes) => 'x'.repeat(bytes));
      await Promise.all(data.map((text) => append(text)));
      expect(follower.log.size).toBe(1);
      expect(dataOf(reader.taken)).toEqual(data);
    });

    it('is told before a burst pushes out its own beginning', async () => {
      const { append, listener } = make({ history: { count: 3 } });
      const readers = [new LateReader(await listener()), new LateReader(await listener())];
      const numbers = Array.from({ length: 200 }, (_, n) => n);
      await Promise.all(numbers.map((n) => append(n)));
      for (const { taken } of readers) expect(dataOf(taken)).toEqual(numbers);
    });

    it('is told before a purge takes events that were not read yet', async () => {
      const { append, purge, listener } = make();
      const reader = new LateReader(await listener());
      await append('a');
      await purge();
      await append('b');
      expect(dataOf(reader.taken)).toEqual(['a', 'b']);
    });

    it('lets those publish who are told, and nobody misses anything of that', async () => {
      const { append, listener } = make({ history: { count: 2 } });
      const [one, other] = [await listener(), await listener()];
      const reader = new LateReader(other);
      const answers: Promise<Position>[] = [];
      one.leaving = () => {
        if (answers.length < 3) answers.push(append('answer'));
      };
      const positions = await Promise.all(Array.from({ length: 12 }, () => append('question')));
      positions.push(...(await Promise.all(answers)));
      positions.sort((a, b) => a.offset - b.offset);
      expect(positionsOf(reader.taken)).toEqual(positions);
      expect(other.told).toEqual(offsetsOf(positions));
      expect(answers).toHaveLength(3);
    });
  });
}

function describeStopping(test: TestGlobals, make: MakeChannel): void {
  const { describe, expect, it } = test;
  describe('stop', () => {
    it('ends the telling, of that one only, and may come twice', async () => {
      const { append, listener } = make();
      const [one, other] = [await listener(), await listener()];
      const first = await append();
      one.stop();
      one.stop();
      const second = await append();
      expect([one.told, other.told]).toEqual([[first.offset], [first.offset, second.offset]]);
    });

    it('ends the telling of the completion too', async () => {
      const { complete, listener } = make();
      const [one, other] = [await listener(), await listener()];
      one.stop();
      await complete();
      expect([one.told, other.told]).toEqual([[], ['completed']]);
    });

    it('holds at once, also in the middle of a telling', async () => {
      const { append, listener } = make();
      const [one, other] = [await listener(), await listener()];
      one.appended = () => other.stop();
      await append();
      await append();
      expect(other.told).toEqual([]);
    });

    it('leaves the channel to those who come again', async () => {
      const { append, listener } = make();
      const one = await listener();
      const first = await append();
      one.stop();
      const second = await append();
      const again = await listener();
      expect(positionsOf(again.seen)).toEqual([first, second]);
    });
  });
}
