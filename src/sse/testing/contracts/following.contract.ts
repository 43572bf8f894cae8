import type { Position } from '../../protocol/position.js';
import {
  dataOf,
  numbers,
  offsetsOf,
  positionsOf,
  type ChannelUnderTest,
  type MakeChannel,
} from './channel-under-test.js';
import { entriesOf, LateReader, Listener } from './listener.js';
import type { TestGlobals } from './test-globals.js';

/** An action on a channel. */
type Step = 'append' | 'follow' | 'stop' | 'wait';

/** Each step as often as it is to be drawn. */
const STEPS: readonly Step[] = [...Array<Step>(6).fill('append'), 'follow', 'follow', 'stop', 'wait', 'wait'];

/** Five to sixty random steps, which the seed determines. */
function stepsOf(seed: number): Step[] {
  const next = random(seed);
  const count = 5 + Math.floor(next() * 56);
  return Array.from({ length: count }, () => STEPS[Math.floor(next() * STEPS.length)] as Step);
}

/** Numbers from 0 up to 1, by a linear congruence of which it takes the high bits. */
function random(seed: number): () => number {
  let state = BigInt(seed) + 1n;
  return () => {
    state = BigInt.asUintN(64, state * 6_364_136_223_846_793_005n + 1_442_695_040_888_963_407n);
    return Number(state >> 32n) / 2 ** 32;
  };
}

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

export function describeFollowing(test: TestGlobals, make: MakeChannel): void {
  describeTelling(test, make);
  describeOffering(test, make);
  describeStopping(test, make);
}

function describeTelling({ describe, expect, it }: TestGlobals, make: MakeChannel): void {
  describe('follow', () => {
    it('hands over what was appended before, and then tells of each entry before append resolves', async () => {
      const { append, listener } = make();
      const positions = [await append('a'), await append('b')];
      const follower = await listener();
      expect([dataOf(follower.seen), follower.told]).toEqual([['a', 'b'], []]);
      expect(follower.log.head).toEqual(positions[1]);
      for (let n = 0; n < 5; n++) {
        positions.push(await append());
        expect(follower.told).toEqual(offsetsOf(positions.slice(2)));
      }
      expect(positionsOf(follower.seen)).toEqual(positions);
      expect(follower.seen.slice(1).map(({ previous }) => previous)).toEqual(positions.slice(0, -1));
    });

    it('has each entry in the log before it tells of it, within the limits of the channel', async () => {
      const { appendAtOnce, listener } = make({ history: { count: 3 } });
      const follower = await listener();
      const positions = await appendAtOnce(20);
      expect(positionsOf(entriesOf(follower.log))).toEqual(positions.slice(-3));
      expect(follower.log).toMatchObject({ floor: positions[16], head: positions[19] });
      expect(follower.told).toEqual(offsetsOf(positions));
      expect(follower.early).toEqual([]);
    });

    it('has some of the newest in the log also where the channel has no history', async () => {
      const { appendAtOnce, listener } = make({ history: 0 });
      const follower = await listener();
      const positions = await appendAtOnce(5);
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
      const [one, ...others] = await Promise.all(numbers(11).map(() => listener()));
      const answers: Promise<Position>[] = [];
      one!.appended = ({ event }) => {
        if (event.data === 'question') answers.push(append('answer'));
      };
      const positions = [await append('question'), ...(await Promise.all(answers))];
      for (const { told, seen, early } of others)
        expect([told, dataOf(seen), early]).toEqual([offsetsOf(positions), ['question', 'answer'], []]);
    });
  });
}

function describeOffering({ describe, expect, it }: TestGlobals, make: MakeChannel): void {
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
      const { appendAtOnce, listener } = make({ history: { count: 3 } });
      const readers = [new LateReader(await listener()), new LateReader(await listener())];
      await appendAtOnce(200);
      for (const { taken } of readers) expect(dataOf(taken)).toEqual(numbers(200));
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
      const positions = await Promise.all(numbers(12).map(() => append('question')));
      positions.push(...(await Promise.all(answers)));
      positions.sort((a, b) => a.offset - b.offset);
      expect(positionsOf(reader.taken)).toEqual(positions);
      expect(other.told).toEqual(offsetsOf(positions));
      expect(answers).toHaveLength(3);
    });
  });
}

function describeStopping({ describe, expect, it }: TestGlobals, make: MakeChannel): void {
  describe('stop', () => {
    it('ends the telling of that one only, may come twice, and leaves the channel to those who come', async () => {
      const { append, complete, listener } = make();
      const [one, other] = [await listener(), await listener()];
      const first = await append();
      one.stop();
      one.stop();
      const second = await append();
      await complete();
      expect([one.told, other.told]).toEqual([[first.offset], [first.offset, second.offset, 'completed']]);
      other.stop();
      expect(positionsOf((await listener()).seen)).toEqual([first, second]);
    });

    it('holds at once, also in the middle of a telling', async () => {
      const { append, listener } = make();
      const [one, other] = [await listener(), await listener()];
      one.appended = () => other.stop();
      await append();
      await append();
      expect(other.told).toEqual([]);
    });
  });
}
