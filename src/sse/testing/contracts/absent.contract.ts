import type { Position } from '../../protocol/position.js';
import type { ChannelOptions } from '../../sse.options.js';
import { bothWays, dataOf, numbers, type ChannelUnderTest, type MakeChannel } from './channel-under-test.js';
import { eventually } from './eventually.js';
import type { TestGlobals } from './test-globals.js';

/** With this ttl a completed channel is gone soon enough for a test to wait. */
const SHORT: ChannelOptions = { ttl: 600 };

/** The two ways to learn the position of a channel that is not there. */
const WAYS = {
  read: async ({ read }: ChannelUnderTest) => (await read()).head,
  follow: async ({ listener }: ChannelUnderTest) => {
    const follower = await listener();
    follower.stop();
    return follower.log.head;
  },
};

/** Looks at a channel in both ways, and leaves. */
const looksAt = (channel: ChannelUnderTest): Promise<Position[]> =>
  Promise.all(Object.values(WAYS).map((way) => way(channel)));

const GAP = bothWays(undefined);

export function describeAbsent(test: TestGlobals, make: MakeChannel): void {
  const { describe, expect, it } = test;
  describe('a channel that is not there', () => {
    it('has an empty log at nothing yet', async () => {
      const { listener, read, settings } = make();
      const { log } = await listener();
      expect(log).toMatchObject({ size: 0, bytes: 0, completed: false, isAbsent: true });
      expect(log.limits).toEqual(settings.history);
      expect(log.floor).toEqual(log.head);
      expect(log.head.offset).toBe(0);
      const { floor, head, entries, missing } = await read();
      expect([head.offset, entries, missing]).toEqual([0, [], undefined]);
      expect(floor).toEqual(head);
    });

    it('is not made by a purge, nor by those who read it, however many come', async () => {
      const { backplane, purge } = make();
      const { channels } = backplane.stats();
      await purge();
      expect(backplane.stats()).toMatchObject({ channels });
      for (let n = 0; n < 100; n++) {
        const each = make();
        await each.purge();
        const follower = await each.listener();
        expect(follower.log.isAbsent).toBe(true);
        await each.read();
        follower.stop();
        await each.read({ after: follower.log.head });
        await each.read({ upTo: follower.log.head, limit: 1 });
      }
      await eventually(() => backplane.stats().channels === channels);
    });

    it('does not have the position of an event of another channel, not even when it is made', async () => {
      const [one, absent] = [make(), make()];
      const position = await one.append();
      expect(await absent.from(position)).toEqual(GAP);
      expect(await absent.read({ after: position })).toMatchObject({ missing: 'unknown', entries: [] });
      await absent.append();
      expect(await absent.from(position)).toEqual(GAP);
    });

    it('leaves those who follow it a valid position for as long as they do, also after the ttl', async () => {
      const [channel, clock] = [make(SHORT), make(SHORT)];
      const followers = [await channel.listener(), await channel.listener()];
      // When another channel of the same ttl has come and gone, that ttl is over.
      await clock.append();
      await clock.end();
      const heads = followers.map(({ log }) => log.head);
      const first = await channel.append('a');
      for (const [i, follower] of followers.entries()) {
        expect(follower.told).toContain(first.offset);
        expect([follower.early, follower.log.isAbsent]).toEqual([[], false]);
        expect(await channel.from(heads[i]!)).toEqual(bothWays(['a']));
        expect(dataOf((await follower.after(heads[i]!))!)).toEqual(['a']);
      }
    });

    it('has forgotten its former log, and has a position of nothing yet that is valid for the next', async () => {
      const former = make(SHORT);
      const births = await looksAt(former);
      const positions = await former.appendNumbers(3);
      await former.end();
      for (const position of [...births, ...positions]) expect(await former.from(position)).toEqual(GAP);
      // Its ttl is long, so that the position stays valid on a slow machine.
      const channel = make({}, former.channel);
      const { head } = await channel.read();
      const next = await channel.appendNumbers(4);
      for (const position of [...births, ...positions]) {
        expect(await former.from(position)).toEqual(GAP);
        expect(dataOf((await former.read({ after: position })).entries)).toEqual(numbers(4));
      }
      expect(await channel.from(head)).toEqual(bothWays(numbers(4)));
      expect(new Set([...positions, ...next].map(({ mark }) => mark)).size).toBe(7);
    });
  });

  for (const way of ['read', 'follow'] as const) describeNothingYet(test, make, way);
}

type Way = keyof typeof WAYS;

type Change = (channel: ChannelUnderTest) => Promise<unknown>;

/** Changes that leave the position of nothing yet valid, with the data that follow it then. */
const HOLDING: readonly [when: string, change: Change, data: unknown[]][] = [
  ['while the channel is not there', () => Promise.resolve(), []],
  ['when events are published', ({ appendNumbers }) => appendNumbers(2), [0, 1]],
  [
    'when others look at the channel and leave before and after it is made',
    async (channel) => {
      await looksAt(channel);
      await channel.purge();
      await channel.append('a');
      await looksAt(channel);
    },
    ['a'],
  ],
];

/** Changes that make it a gap, on a channel that keeps two events. */
const LOSING: readonly [when: string, change: Change][] = [
  ['the log has let go of an event', ({ appendNumbers }) => appendNumbers(3)],
  ['the log was purged', ({ append, purge }) => Promise.all([append(), purge()])],
];

function describeNothingYet({ describe, expect, it }: TestGlobals, make: MakeChannel, way: Way): void {
  describe(`nothing yet, learnt by ${way},`, () => {
    for (const [when, change, data] of HOLDING) {
      it(`has missed nothing ${when}, nor when that is completed`, async () => {
        const channel = make();
        const position = await WAYS[way](channel);
        await change(channel);
        expect(await channel.from(position)).toEqual(bothWays(data));
        await channel.complete();
        expect(await channel.from(position)).toEqual(bothWays(data));
      });
    }

    for (const [when, change] of LOSING) {
      it(`is a gap when ${when}`, async () => {
        const channel = make({ history: { count: 2 } });
        const position = await WAYS[way](channel);
        await change(channel);
        expect(await channel.from(position)).toEqual(GAP);
        await channel.append('b');
        expect(await channel.from(position)).toEqual(GAP);
        expect(dataOf((await channel.read({ after: position })).entries)).toEqual(await channel.kept());
      });
    }
  });
}
