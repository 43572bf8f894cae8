import type { SseBackplane } from '../../log/backplane.js';
import { storedEvent } from '../../log/stored-event.js';
import { channelHash, formatId, parseLastEventId } from '../../protocol/position.js';
import type { HistoryOptions } from '../../sse.options.js';
import { describeAbsent } from './absent.contract.js';
import {
  bothWays,
  channelOn,
  dataOf,
  numbers,
  positionsOf,
  stored,
  type MakeChannel,
} from './channel-under-test.js';
import { describeFollowing } from './following.contract.js';
import { describeReading } from './reading.contract.js';
import { describeState } from './state.contract.js';
import { expectRefusal, type TestGlobals } from './test-globals.js';

/** A backplane with nothing in it that stands in a test's way. */
export interface BackplaneUnderTest {
  readonly backplane: SseBackplane;
  /** Ends its connection to the server, and lets it make none until `restore()`. Left out where there is no server. */
  cutOff?(): void;
  restore?(): void;
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
 *
 * @param can whether a backplane can be cut off from its server; then `cutOff` and `restore` are there, and
 * `onStateChange`
 */
export function describeBackplane(
  test: TestGlobals,
  name: string,
  make: () => BackplaneUnderTest | Promise<BackplaneUnderTest>,
  can: { readonly beCutOff: boolean } = { beCutOff: false },
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
    describeState(test, makeChannel, () => made, can);
    describeClosing(test, makeChannel);
  });
}

function describeAppending({ describe, expect, it }: TestGlobals, make: MakeChannel): void {
  describe('append', () => {
    it('answers with the position of the event that it stored, after all of earlier calls', async () => {
      const { appendAtOnce, read } = make({ history: { count: 200 } });
      const positions = await appendAtOnce(200);
      const { entries, head } = await read();
      expect(dataOf(entries)).toEqual(numbers(200));
      expect(positionsOf(entries)).toEqual(positions);
      expect(head).toEqual(positions.at(-1));
      for (const [i, { offset }] of positions.slice(1).entries())
        expect(offset).toBeGreaterThan(positions[i]!.offset);
    });

    it('keeps many channels apart, each in order, and gives each event a mark that no other has', async () => {
      const channels = numbers(20).map(() => make());
      const listeners = await Promise.all(channels.map((each) => each.listener()));
      const positions = await Promise.all(
        numbers(50).flatMap((n) => channels.map((each, of) => each.append({ of, n }))),
      );
      for (const [of, each] of channels.entries()) {
        const data = numbers(50).map((n) => ({ of, n }));
        expect([await each.kept(), dataOf(listeners[of]!.seen)]).toEqual([data, data]);
        expect(listeners[of]!.told).toHaveLength(50);
      }
      expect(new Set(positions.map(({ mark }) => mark)).size).toBe(1_000);
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
      const { backplane, channel, settings, listener } = make({ history: 0 });
      const input = {
        type: 'é',
        id: '7',
        retry: 5,
        comment: 'c\nd',
        data: { text: 'a\r\n\0\u2028😀', list: [1, null] },
      };
      const event = storedEvent(input, 'publisher', Infinity);
      const follower = await listener();
      await backplane.append(channel, settings, event);
      expect(follower.seen.map((entry) => ({ ...entry.event }))).toEqual([event]);
      expect(Math.abs(Date.now() - follower.seen[0]!.at)).toBeLessThan(60_000);
    });

    it('keeps what travels with an event, its trace and its copies in other channels, and adds it to no other', async () => {
      const { backplane, channel, settings, append, listener, read } = make();
      const trace = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
      const also = [
        { channel: 'é/"1"\n', ...(await append()) },
        { channel: 'b', ...(await append()) },
      ];
      const travelling = [{ trace }, { also }, { trace, also }];
      const follower = await listener();
      for (const what of travelling) await backplane.append(channel, settings, { ...stored('a'), ...what });
      await append('a');
      const expected = [...travelling, {}].map((what) => ({ ...stored('a'), ...what }));
      const { entries } = await read();
      for (const kept of [entries.slice(2), follower.seen.slice(2)])
        expect(kept.map(({ event }) => Object.entries(event).sort())).toEqual(
          expected.map((event) => Object.entries(event).sort()),
        );
    });

    it('keeps as many of the newest as the channel has room for, in events and in bytes', async () => {
      const limits: [HistoryOptions, number[]][] = [
        [{ count: 3 }, [7, 8, 9]],
        [{ bytes: 2 * stored(0).bytes + 1 }, [8, 9]],
      ];
      for (const [history, expected] of limits) {
        const { appendNumbers, kept } = make({ history });
        await appendNumbers(10);
        expect(await kept()).toEqual(expected);
      }
    });
  });
}

function describePublishIds({ describe, expect, it }: TestGlobals, make: MakeChannel): void {
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
      for (const { backplane, channel, settings, kept } of [make(), make()]) {
        for (const id of ['x', 'y', 'x']) await backplane.append(channel, settings, stored(id), id);
        expect(await kept()).toEqual(['x', 'y']);
      }
    });
  });
}

function describeCompleting({ describe, expect, it }: TestGlobals, make: MakeChannel): void {
  describe('complete', () => {
    it('refuses what is appended after it, and neither stores nor lets go of anything for that', async () => {
      const { append, complete, kept, listener } = make({ history: { count: 2 } });
      const follower = await listener();
      const accepted = [append('a'), append('b'), complete()] as const;
      await expectRefusal(expect, 'CHANNEL_COMPLETED', append('c'), append('d'));
      await expectRefusal(expect, 'CHANNEL_COMPLETED', append('e'));
      const [, head] = await Promise.all(accepted);
      expect(await kept()).toEqual(['a', 'b']);
      expect(follower.log).toMatchObject({ size: 2, head });
    });

    it('tells followers once, after all events, and is remembered for those who come later', async () => {
      const { append, complete, from, listener } = make();
      const followers = [await listener(), await listener()];
      const appended = [append('a'), append('b')] as const;
      await Promise.all([complete(), complete()]);
      await complete();
      const [a, b] = await Promise.all(appended);
      for (const { told, early } of followers)
        expect([told, early]).toEqual([[a.offset, b.offset, 'completed'], []]);
      const late = await listener();
      expect([late.log.completed, dataOf(late.seen)]).toEqual([true, ['a', 'b']]);
      expect([await from(a), await from(b)]).toEqual([bothWays(['b']), bothWays([])]);
      await expectRefusal(expect, 'CHANNEL_COMPLETED', append());
    });

    it('ends a channel that was never published to, and no other', async () => {
      const [one, other] = [make(), make()];
      const follower = await one.listener();
      await one.complete();
      expect(follower.told).toContain('completed');
      await expectRefusal(expect, 'CHANNEL_COMPLETED', one.append());
      for (const { log } of [follower, await one.listener()])
        expect(log).toMatchObject({ completed: true, isAbsent: false });
      expect((await other.listener()).log.completed).toBe(false);
      await other.append();
    });
  });
}

function describePurging({ describe, expect, it }: TestGlobals, make: MakeChannel): void {
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
      await expectRefusal(expect, 'CHANNEL_COMPLETED', append());
      expect((await listener()).log.completed).toBe(true);
    });
  });
}

function describeClosing({ describe, expect, it }: TestGlobals, make: MakeChannel): void {
  describe('close', () => {
    it('makes every call after it reject with HUB_CLOSED, and may come twice', async () => {
      const { backplane, append, listener, read, complete, purge } = make();
      await append();
      await Promise.all([backplane.close(), backplane.close()]);
      await expectRefusal(expect, 'HUB_CLOSED', append(), listener(), read(), complete(), purge());
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
      expect(backplane.stats()).toMatchObject({ channels: 0, historyEvents: 0, historyBytes: 0 });
    });
  });
}
