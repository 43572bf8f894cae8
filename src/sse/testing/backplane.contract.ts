import type { SseBackplane } from '../hub/backplane.js';
import { storedEvent } from '../hub/stored-event.js';
import { formatPosition, parsePosition } from '../protocol/position.js';
import type { HistoryOptions } from '../sse.options.js';
import { describeFollowing } from './following.contract.js';
import { Listener } from './listener.js';
import { placeOn, stored, type PlaceOf } from './place.js';
import { describeReading } from './reading.contract.js';
import type { TestGlobals } from './test-globals.js';

/** A backplane with nothing in it that stands in a test's way. */
export interface BackplaneUnderTest {
  readonly backplane: SseBackplane;
  /** Gives back what the test needed beside it. Called after `backplane.close()`. */
  dispose?(): Promise<void>;
}

/**
 * Describes what every `SseBackplane` promises, as tests of your test runner. `make` is called before each.
 *
 * @example
 * ```ts
 * import { afterEach, beforeEach, describe, expect, it } from 'vitest';
 *
 * const test = { afterEach, beforeEach, describe, expect, it };
 * describeBackplane(test, 'my', async () => ({ backplane: await MyBackplane.open() }));
 * ```
 */
export function describeBackplane(
  test: TestGlobals,
  name: string,
  make: () => BackplaneUnderTest | Promise<BackplaneUnderTest>,
): void {
  const { afterEach, beforeEach, describe } = test;
  describe(`the ${name} backplane`, () => {
    let made: BackplaneUnderTest;
    const placeOf: PlaceOf = (options) => placeOn(made.backplane, options);

    beforeEach(async () => {
      made = await make();
    });

    afterEach(async () => {
      await made.backplane.close();
      await made.dispose?.();
    });

    describeAppending(test, placeOf);
    describePublishIds(test, placeOf);
    describeFollowing(test, placeOf);
    describeReading(test, placeOf);
    describeCompleting(test, placeOf);
    describePurging(test, placeOf);
    describeClosing(test, placeOf);
  });
}

function describeAppending(test: TestGlobals, placeOf: PlaceOf): void {
  const { describe, expect, it } = test;
  describe('append', () => {
    it('gives each event a place after all earlier ones of its channel, in the order of the calls', async () => {
      const { append, kept } = placeOf({ history: { count: 1_000 } });
      const numbers = Array.from({ length: 200 }, (_, i) => i);
      const positions = await Promise.all(numbers.map((n) => append(n)));
      const offsets = positions.map(({ offset }) => offset);
      expect(offsets).toEqual([...offsets].sort((a, b) => a - b));
      expect(new Set(offsets).size).toBe(200);
      expect(await kept()).toEqual(numbers);
    });

    it('answers with positions of one epoch, which can be sent as ids', async () => {
      const { append } = placeOf();
      const positions = [await append(), await append()];
      expect(new Set(positions.map(({ epoch }) => epoch)).size).toBe(1);
      expect(positions.map(formatPosition).map(parsePosition)).toEqual(positions);
    });

    it('keeps an event as it was, and says when it came', async () => {
      const { backplane, channel, settings } = placeOf({ history: 0 });
      const input = {
        type: 'é',
        id: '7',
        retry: 5,
        comment: 'c\nd',
        data: { text: 'a\r\n\0\u2028😀', list: [1, null] },
      };
      const event = storedEvent(input, true, Infinity);
      const listener = await new Listener(backplane, channel, settings).ready;
      await backplane.append(channel, settings, event);
      expect(listener.seen.map((entry) => ({ ...entry.event }))).toEqual([event]);
      expect(Math.abs(Date.now() - listener.seen[0]!.at)).toBeLessThan(60_000);
    });

    it('does not mix channels', async () => {
      const [one, other] = [placeOf(), placeOf()];
      const listener = await other.listener();
      const [a, b] = await Promise.all([one.append('one'), other.append('other')]);
      expect(a.epoch).not.toBe(b.epoch);
      expect([await one.kept(), await other.kept()]).toEqual([['one'], ['other']]);
      expect(listener.told).toEqual([b.offset]);
    });

    const limits: [string, HistoryOptions, number[]][] = [
      ['events', { count: 3 }, [7, 8, 9]],
      ['bytes', { bytes: 2 * stored(0).bytes + 1 }, [8, 9]],
    ];
    for (const [what, history, expected] of limits) {
      it(`keeps as many of the newest as the channel has room for, in ${what}`, async () => {
        const { append, kept } = placeOf({ history });
        for (let n = 0; n < 10; n++) await append(n);
        expect(await kept()).toEqual(expected);
      });
    }

    it('keeps the order on many channels at once', async () => {
      const places = Array.from({ length: 20 }, () => placeOf());
      const listeners = await Promise.all(places.map((place) => place.listener()));
      const numbers = Array.from({ length: 50 }, (_, i) => i);
      await Promise.all(numbers.flatMap((n) => places.map((place) => place.append(n))));
      for (const place of places) expect(await place.kept()).toEqual(numbers);
      for (const { seen } of listeners) expect(seen.map(({ event }) => Number(event.data))).toEqual(numbers);
    });
  });
}

function describePublishIds(test: TestGlobals, placeOf: PlaceOf): void {
  const { describe, expect, it } = test;
  describe('append with a publishId', () => {
    it('stores the event once, and answers every attempt with its position', async () => {
      const { backplane, channel, settings, append, listener, kept } = placeOf();
      const follower = await listener();
      const attempt = (text: string) => backplane.append(channel, settings, stored(text), 'order-1');
      const [first, second] = await Promise.all([attempt('a'), attempt('a')]);
      await append('b');
      expect([second, await attempt('a')]).toEqual([first, first]);
      expect(await kept()).toEqual(['a', 'b']);
      expect(follower.told).toHaveLength(2);
    });

    it('takes the same id on another channel, and another id on the same, for another event', async () => {
      const [one, other] = [placeOf(), placeOf()];
      for (const { backplane, channel, settings } of [one, other])
        for (const id of ['x', 'y', 'x']) await backplane.append(channel, settings, stored(id), id);
      expect([await one.kept(), await other.kept()]).toEqual([
        ['x', 'y'],
        ['x', 'y'],
      ]);
    });
  });
}

function describeCompleting(test: TestGlobals, placeOf: PlaceOf): void {
  const { describe, expect, it } = test;
  const refusal = expect.objectContaining({ name: 'SseError', code: 'CHANNEL_COMPLETED' });

  describe('complete', () => {
    it('refuses what is appended after it, and stores nothing of that', async () => {
      const { backplane, channel, settings, append, kept } = placeOf();
      const calls = [append('a'), backplane.complete(channel, settings), append('b'), append('c')];
      const outcomes = await Promise.allSettled(calls);
      expect(outcomes.map(({ status }) => status)).toEqual([
        'fulfilled',
        'fulfilled',
        'rejected',
        'rejected',
      ]);
      expect(outcomes[2]).toMatchObject({ reason: refusal });
      expect(await kept()).toEqual(['a']);
    });

    it('tells followers once, after all events', async () => {
      const { backplane, channel, settings, append, listener } = placeOf();
      const [one, other] = [await listener(), await listener()];
      const first = append();
      await Promise.all([backplane.complete(channel, settings), backplane.complete(channel, settings)]);
      await backplane.complete(channel, settings);
      const { offset } = await first;
      expect([one.told, other.told]).toEqual([
        [offset, 'completed'],
        [offset, 'completed'],
      ]);
      expect([...one.early, ...other.early]).toEqual([]);
    });

    it('is remembered for those who come later', async () => {
      const { backplane, channel, settings, append, listener } = placeOf();
      await append('a');
      await backplane.complete(channel, settings);
      const late = await listener();
      expect(late.log.completed).toBe(true);
      expect(late.seen.map(({ event }) => event.data)).toEqual(['a']);
      await expect(append('b')).rejects.toEqual(refusal);
    });

    it('ends a channel that was never published to, and no other', async () => {
      const [place, other] = [placeOf(), placeOf()];
      await place.backplane.complete(place.channel, place.settings);
      await expect(place.append()).rejects.toEqual(refusal);
      expect((await place.listener()).log.completed).toBe(true);
      expect((await other.listener()).log.completed).toBe(false);
      await other.append();
    });
  });
}

function describePurging(test: TestGlobals, placeOf: PlaceOf): void {
  const { describe, expect, it } = test;
  describe('purge', () => {
    it('lets go of all events that were appended before it, and of none after it', async () => {
      const { backplane, channel, append, kept } = placeOf();
      await Promise.all([append('a'), append('b'), backplane.purge(channel), append('c')]);
      expect(await kept()).toEqual(['c']);
    });

    it('leaves the epoch and the offsets to go on, so that nobody takes what is new for what is old', async () => {
      const { backplane, channel, append } = placeOf();
      const before = [await append(), await append()].at(-1)!;
      await backplane.purge(channel);
      const range = (await backplane.read(channel, { after: 0, limit: 5 }))!;
      expect(range).toEqual({ epoch: before.epoch, floor: before.offset, head: before.offset, entries: [] });
      const after = await append();
      expect(after.epoch).toBe(before.epoch);
      expect(after.offset).toBeGreaterThan(before.offset);
    });

    it('empties the log of those who follow, who then hear of what comes next', async () => {
      const { backplane, channel, append, listener } = placeOf();
      const { offset } = await append();
      const follower = await listener();
      await backplane.purge(channel);
      expect(follower.log).toMatchObject({ size: 0, bytes: 0, floor: offset, head: offset });
      const next = await append();
      expect(follower.told).toEqual(['emptying', next.offset]);
      expect(follower.seen.at(-1)).toMatchObject({ offset: next.offset, previous: offset });
    });

    it('leaves a channel completed that was', async () => {
      const { backplane, channel, settings, append, listener } = placeOf();
      await backplane.complete(channel, settings);
      await backplane.purge(channel);
      await expect(append()).rejects.toMatchObject({ code: 'CHANNEL_COMPLETED' });
      expect((await listener()).log.completed).toBe(true);
    });

    it('of a channel that is not there is nothing, and does not make it', async () => {
      const { backplane, channel } = placeOf();
      await backplane.purge(channel);
      expect(await backplane.read(channel, { limit: 1 })).toBeUndefined();
    });
  });
}

function describeClosing(test: TestGlobals, placeOf: PlaceOf): void {
  const { describe, expect, it } = test;
  describe('close', () => {
    it('makes every call after it reject with HUB_CLOSED, and may come twice', async () => {
      const { backplane, channel, settings, append, listener } = placeOf();
      await append();
      await Promise.all([backplane.close(), backplane.close()]);
      const calls = [
        append(),
        listener(),
        backplane.read(channel, { limit: 1 }),
        backplane.complete(channel, settings),
        backplane.purge(channel),
      ];
      const outcomes = await Promise.allSettled(calls);
      const closed = {
        status: 'rejected',
        reason: expect.objectContaining({ name: 'SseError', code: 'HUB_CLOSED' }),
      };
      expect(outcomes).toEqual(calls.map(() => closed));
    });

    it('holds at once, also in the middle of a telling', async () => {
      const { backplane, append, listener } = placeOf();
      const [one, other] = [await listener(), await listener()];
      one.appended = () => void backplane.close();
      await append();
      expect(other.told).toEqual([]);
    });

    it('lets go of everything in this process, and tells followers nothing afterwards', async () => {
      const { backplane, append, listener } = placeOf();
      const follower = await listener();
      const last = await append();
      expect(backplane.stats()).toMatchObject({ channels: 1 });
      const racing = append().catch(() => undefined);
      await backplane.close();
      const told = [...follower.told];
      await racing;
      follower.stop();
      expect(told[0]).toBe(last.offset);
      expect(follower.told).toEqual(told);
      expect(backplane.stats()).toEqual({ channels: 0, historyEvents: 0, historyBytes: 0 });
    });
  });
}
