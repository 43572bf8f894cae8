import type { Position } from '../protocol/position.js';
import type { ChannelOptions } from '../sse.options.js';
import { dataOf, type ChannelUnderTest, type MakeChannel } from './channel-under-test.js';
import { eventually } from './eventually.js';
import type { TestGlobals } from './test-globals.js';

/** Milliseconds after which a completed channel is gone, so that a test can wait for it. */
const SHORT: ChannelOptions = { ttl: 600 };

/** The two ways to learn the position of a channel that is not there. */
const WAYS: Readonly<Record<string, (channel: ChannelUnderTest) => Promise<Position>>> = {
  read: async ({ read }) => (await read()).head,
  follow: async ({ listener }) => {
    const follower = await listener();
    follower.stop();
    return follower.log.head;
  },
};

/** The events that a reader gets from a position on, by both ways to ask; undefined where it is told of a gap. */
async function from(position: Position, { read, listener }: ChannelUnderTest) {
  const { entries, missing } = await read({ after: position });
  const follower = await listener();
  const followed = await follower.after(position);
  follower.stop();
  return { read: missing ? undefined : dataOf(entries), followed: followed && dataOf(followed) };
}

const GAP = { read: undefined, followed: undefined };

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
      expect({ offset: head.offset, entries, missing }).toEqual({
        offset: 0,
        entries: [],
        missing: undefined,
      });
      expect(floor).toEqual(head);
    });

    it('is not made by those who read it, however many come', async () => {
      const { backplane } = make();
      const { channels } = backplane.stats();
      for (let n = 0; n < 100; n++) {
        const { listener, read } = make();
        const follower = await listener();
        await read();
        follower.stop();
        await read({ after: follower.log.head });
        await read({ upTo: follower.log.head, limit: 1 });
      }
      await eventually(() => backplane.stats().channels === channels);
      expect(backplane.stats()).toMatchObject({ channels });
    });

    it('is not made by a purge', async () => {
      const { backplane, purge, listener } = make();
      const { channels } = backplane.stats();
      await purge();
      expect(backplane.stats()).toMatchObject({ channels });
      expect((await listener()).log.isAbsent).toBe(true);
    });

    it('does not have the position of an event', async () => {
      const [one, absent] = [make(), make()];
      const position = await one.append();
      expect(await from(position, absent)).toEqual(GAP);
      expect(await absent.read({ after: position })).toMatchObject({ missing: 'unknown', entries: [] });
    });
  });

  for (const [way, nothingYetOf] of Object.entries(WAYS)) describeNothingYet(test, make, way, nothingYetOf);
  describeWaiting(test, make);
  describeFormerLog(test, make);
}

function describeNothingYet(
  { describe, expect, it }: TestGlobals,
  make: MakeChannel,
  way: string,
  nothingYetOf: (channel: ChannelUnderTest) => Promise<Position>,
): void {
  describe(`nothing yet, learnt by ${way},`, () => {
    it('has missed nothing while the channel is not there', async () => {
      const channel = make();
      const position = await nothingYetOf(channel);
      expect(await from(position, channel)).toEqual({ read: [], followed: [] });
    });

    it('has all events of the log that is made later after it', async () => {
      const channel = make();
      const position = await nothingYetOf(channel);
      await channel.append('a');
      await channel.append('b');
      const both = { read: ['a', 'b'], followed: ['a', 'b'] };
      expect(await from(position, channel)).toEqual(both);
      await channel.complete();
      expect(await from(position, channel)).toEqual(both);
    });

    it('holds also when others looked at the channel and left before it was made', async () => {
      const channel = make();
      const position = await nothingYetOf(channel);
      for (const look of Object.values(WAYS)) await look(channel);
      await channel.purge();
      await channel.append('a');
      for (const look of Object.values(WAYS)) await look(channel);
      expect(await from(position, channel)).toEqual({ read: ['a'], followed: ['a'] });
    });

    it('holds when the channel is completed without an event', async () => {
      const channel = make();
      const position = await nothingYetOf(channel);
      await channel.complete();
      expect(await from(position, channel)).toEqual({ read: [], followed: [] });
    });

    it('is a gap when the log has let go of an event', async () => {
      const channel = make({ history: { count: 2 } });
      const position = await nothingYetOf(channel);
      await channel.appendNumbers(3);
      expect(await from(position, channel)).toEqual(GAP);
      expect(dataOf((await channel.read({ after: position })).entries)).toEqual([1, 2]);
    });

    it('is a gap when the log was purged', async () => {
      const channel = make();
      const position = await nothingYetOf(channel);
      await channel.append('a');
      await channel.purge();
      expect(await from(position, channel)).toEqual(GAP);
      await channel.append('b');
      expect(await from(position, channel)).toEqual(GAP);
    });

    it('is a gap when a log has come and gone', async () => {
      const channel = make(SHORT);
      const position = await nothingYetOf(channel);
      await channel.append('a');
      await channel.end();
      expect(await from(position, channel)).toEqual(GAP);
      await channel.append('b');
      expect(await from(position, channel)).toEqual(GAP);
    });
  });
}

function describeWaiting({ describe, expect, it }: TestGlobals, make: MakeChannel): void {
  describe('who follows a channel that is not there', () => {
    it('is told of its first event, and has missed nothing before it', async () => {
      const { append, listener } = make();
      const followers = [await listener(), await listener()];
      const heads = followers.map(({ log }) => log.head);
      const first = await append('a');
      for (const [i, follower] of followers.entries()) {
        expect(follower.told).toContain(first.offset);
        expect(follower.early).toEqual([]);
        expect(dataOf((await follower.after(heads[i]!))!)).toEqual(['a']);
        expect(follower.log.isAbsent).toBe(false);
      }
    });

    it('is told that it is completed', async () => {
      const { complete, listener } = make();
      const follower = await listener();
      await complete();
      expect(follower.told).toContain('completed');
      expect(follower.log).toMatchObject({ completed: true, isAbsent: false });
    });

    it('has a position that is valid for as long as it follows, also after the ttl', async () => {
      const [channel, clock] = [make(SHORT), make(SHORT)];
      const follower = await channel.listener();
      // Another channel of the same ttl comes and goes: so long has it been.
      await clock.append();
      await clock.end();
      const { head } = follower.log;
      await channel.append('a');
      expect(await from(head, channel)).toEqual({ read: ['a'], followed: ['a'] });
      expect(dataOf((await follower.after(head))!)).toEqual(['a']);
    });
  });
}

function describeFormerLog({ describe, expect, it }: TestGlobals, make: MakeChannel): void {
  describe('a log that has come and gone', () => {
    it('leaves no position that the channel or its next log would believe', async () => {
      const channel = make(SHORT);
      const birth = (await channel.read()).floor;
      const positions = await channel.appendNumbers(3);
      await channel.end();
      const former = [birth, ...positions];
      for (const position of former) expect(await from(position, channel)).toEqual(GAP);
      const next = await channel.appendNumbers(4);
      for (const position of former) {
        expect(await from(position, channel)).toEqual(GAP);
        expect(dataOf((await channel.read({ after: position })).entries)).toEqual([0, 1, 2, 3]);
      }
      const marks = [...positions, ...next].map(({ mark }) => mark);
      expect(new Set(marks).size).toBe(marks.length);
    });

    it('leaves a channel that can be waited for', async () => {
      const former = make(SHORT);
      await former.append('old');
      await former.end();
      const channel = make({}, former.channel);
      const { head } = await channel.read();
      await channel.append('new');
      expect(await from(head, channel)).toEqual({ read: ['new'], followed: ['new'] });
    });
  });
}
