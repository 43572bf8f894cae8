import type { SseBackplane } from '../log/backplane.js';
import { storedEvent } from '../log/stored-event.js';
import { channelHash, formatId, parseLastEventId } from '../protocol/position.js';
import type { HistoryOptions } from '../sse.options.js';
import { describeAbsent } from './absent.contract.js';
import { channelOn, dataOf, positionsOf, stored, type MakeChannel } from './channel-under-test.js';
import { describeFollowing } from './following.contract.js';
import { Listener } from './listener.js';
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
    const makeChannel: MakeChannel = (options, name) => channelOn(made.backplane, options, name);

    beforeEach(async () => {
      made = await make();
    });

    afterEach(async () => {
      await made.backplane.close();
      await made.dispose?.();
    });

    describeAppending(test, makeChannel);
    describePublishIds(test, makeChannel);
    describeFollowing(test, makeChannel);
    describeReading(test, makeChannel);
    describeAbsent(test, makeChannel);
    describeCompleting(test, makeChannel);
    describePurging(test, makeChannel);
    describeClosing(test, makeChannel);
  });
}

function describeAppending(test: TestGlobals, make: MakeChannel): void {
  const { describe, expect, it } = test;
  describe('append', () => {
    it('answers with the position of the event that it stored, after all of earlier calls', async () => {
      const { append, read } = make();
      const data = Array.from({ length: 50 }, (_, n) => n);
      const positions = await Promise.all(data.map((n) => append(n)));
      const { entries, head } = await read();
      expect(dataOf(entries)).toEqual(data);
      expect(positionsOf(entries)).toEqual(positions);
      expect(head).toEqual(positions.at(-1));
      for (const [i, { offset }] of positions.slice(1).entries())
        expect(offset).toBeGreaterThan(positions[i]!.offset);
    });

    it('gives each event a mark that no other has, of whatever channel', async () => {
      const channels = Array.from({ length: 4 }, () => make());
      const positions = await Promise.all(
        channels.flatMap((each) => Array.from({ length: 50 }, () => each.append())),
      );
      expect(new Set(positions.map(({ mark }) => mark)).size).toBe(200);
    });

    it('answers with positions that can be sent as ids', async () => {
      const { append, channel, read } = make();
      const { head: nothingYet } = await read();
      const positions = [nothingYet, await append(), (await read()).floor, await append()];
      for (const position of positions) {
        const id = formatId(position, channelHash(channel));
        expect(parseLastEventId(id)).toMatchObject({ kind: 'bare', position });
      }
    });

    it('keeps an event as it was, and says when it came', async () => {
      const { backplane, channel, settings } = make({ history: 0 });
      const input = {
        type: 'é',
        id: '7',
        retry: 5,
        comment: 'c\nd',
        data: { text: 'a\r\n\0\u2028😀', list: [1, null] },
      };
      const event = storedEvent(input, 'publisher', Infinity);
      const listener = await new Listener(backplane, channel, settings).ready;
      await backplane.append(channel, settings, event);
      expect(listener.seen.map((entry) => ({ ...entry.event }))).toEqual([event]);
      expect(Math.abs(Date.now() - listener.seen[0]!.at)).toBeLessThan(60_000);
    });

    it('does not mix channels', async () => {
      const [one, other] = [make(), make()];
      const listener = await other.listener();
      const [a, b] = await Promise.all([one.append('one'), other.append('other')]);
      expect(a.mark).not.toBe(b.mark);
      expect([await one.kept(), await other.kept()]).toEqual([['one'], ['other']]);
      expect(listener.told).toEqual([b.offset]);
    });

    const limits: [string, HistoryOptions, number[]][] = [
      ['events', { count: 3 }, [7, 8, 9]],
      ['bytes', { bytes: 2 * stored(0).bytes + 1 }, [8, 9]],
    ];
    for (const [what, history, expected] of limits) {
      it(`keeps as many of the newest as the channel has room for, in ${what}`, async () => {
        const { append, kept } = make({ history });
        for (let n = 0; n < 10; n++) await append(n);
        expect(await kept()).toEqual(expected);
      });
    }

    it('keeps the order on many channels at once', async () => {
      const channels = Array.from({ length: 20 }, () => make());
      const listeners = await Promise.all(channels.map((each) => each.listener()));
      const numbers = Array.from({ length: 50 }, (_, i) => i);
      await Promise.all(numbers.flatMap((n) => channels.map((each) => each.append(n))));
      for (const each of channels) expect(await each.kept()).toEqual(numbers);
      for (const { seen } of listeners) expect(seen.map(({ event }) => Number(event.data))).toEqual(numbers);
    });
  });
}

function describePublishIds(test: TestGlobals, make: MakeChannel): void {
  const { describe, expect, it } = test;
  describe('append with a publishId', () => {
    it('stores the event once, and answers every attempt with its position', async () => {
      const { backplane, channel, settings, append, listener, read } = make();
      const follower = await listener();
      const attempt = () => backplane.append(channel, settings, stored('a'), 'order-1');
      const [first, second] = await Promise.all([attempt(), attempt()]);
      const other = await append('b');
      expect([second, await attempt()]).toEqual([first, first]);
      expect(positionsOf((await read()).entries)).toEqual([first, other]);
      expect(follower.told).toEqual([first.offset, other.offset]);
    });

    it('takes the same id on another channel, and another id on the same, for another event', async () => {
      const [one, other] = [make(), make()];
      for (const { backplane, channel, settings } of [one, other])
        for (const id of ['x', 'y', 'x']) await backplane.append(channel, settings, stored(id), id);
      expect([await one.kept(), await other.kept()]).toEqual([
        ['x', 'y'],
        ['x', 'y'],
      ]);
    });
  });
}

function describeCompleting(test: TestGlobals, make: MakeChannel): void {
  const { describe, expect, it } = test;
  const refusal = expect.objectContaining({ name: 'SseError', code: 'CHANNEL_COMPLETED' });

  describe('complete', () => {
    it('refuses what is appended after it, and stores nothing of that', async () => {
      const { append, complete, kept } = make();
      const calls = [append('a'), complete(), append('b'), append('c')];
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

    it('lets go of nothing for what it refuses', async () => {
      const { complete, append, appendNumbers, kept, listener } = make({ history: { count: 2 } });
      const positions = await appendNumbers(2);
      const follower = await listener();
      await complete();
      await expect(append()).rejects.toEqual(refusal);
      expect(await kept()).toEqual([0, 1]);
      expect(follower.log).toMatchObject({ size: 2, head: positions[1] });
    });

    it('tells followers once, after all events', async () => {
      const { append, complete, listener } = make();
      const [one, other] = [await listener(), await listener()];
      const first = append();
      await Promise.all([complete(), complete()]);
      await complete();
      const { offset } = await first;
      expect([one.told, other.told]).toEqual([
        [offset, 'completed'],
        [offset, 'completed'],
      ]);
      expect([...one.early, ...other.early]).toEqual([]);
    });

    it('is remembered for those who come later', async () => {
      const { append, complete, listener } = make();
      await append('a');
      await complete();
      const late = await listener();
      expect(late.log.completed).toBe(true);
      expect(late.seen.map(({ event }) => event.data)).toEqual(['a']);
      await expect(append('b')).rejects.toEqual(refusal);
    });

    it('ends a channel that was never published to, and no other', async () => {
      const [one, other] = [make(), make()];
      await one.complete();
      await expect(one.append()).rejects.toEqual(refusal);
      expect((await one.listener()).log).toMatchObject({ completed: true, isAbsent: false });
      expect((await other.listener()).log.completed).toBe(false);
      await other.append();
    });
  });
}

function describePurging(test: TestGlobals, make: MakeChannel): void {
  const { describe, expect, it } = test;
  describe('purge', () => {
    it('lets go of all events that were appended before it, and of none after it', async () => {
      const { append, purge, kept } = make();
      await Promise.all([append('a'), append('b'), purge(), append('c')]);
      expect(await kept()).toEqual(['c']);
    });

    it('empties the log of those who follow, who then hear of what comes next', async () => {
      const { append, purge, listener } = make();
      const last = await append();
      const follower = await listener();
      await purge();
      expect(follower.log).toMatchObject({ size: 0, bytes: 0, floor: last, head: last });
      const next = await append();
      expect(follower.told).toEqual([next.offset]);
      expect(follower.seen.at(-1)).toMatchObject({ ...next, previous: last });
    });

    it('leaves a channel completed that was', async () => {
      const { append, complete, purge, listener } = make();
      await complete();
      await purge();
      await expect(append()).rejects.toMatchObject({ code: 'CHANNEL_COMPLETED' });
      expect((await listener()).log.completed).toBe(true);
    });
  });
}

function describeClosing(test: TestGlobals, make: MakeChannel): void {
  const { describe, expect, it } = test;
  describe('close', () => {
    it('makes every call after it reject with HUB_CLOSED, and may come twice', async () => {
      const { backplane, append, listener, read, complete, purge } = make();
      await append();
      await Promise.all([backplane.close(), backplane.close()]);
      const calls = [append(), listener(), read(), complete(), purge()];
      const outcomes = await Promise.allSettled(calls);
      const closed = {
        status: 'rejected',
        reason: expect.objectContaining({ name: 'SseError', code: 'HUB_CLOSED' }),
      };
      expect(outcomes).toEqual(calls.map(() => closed));
    });

    it('holds at once, also in the middle of a telling', async () => {
      const { backplane, append, listener } = make();
      const [one, other] = [await listener(), await listener()];
      one.appended = () => void backplane.close();
      await append();
      expect(other.told).toEqual([]);
    });

    it('lets go of everything in this process, and tells followers nothing afterwards', async () => {
      const { backplane, append, listener } = make();
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
