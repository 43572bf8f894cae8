import { randomUUID } from 'node:crypto';
import type { RangeQuery, SseBackplane } from '../../log/backplane.js';
import type { LogEntry } from '../../log/event-log.js';
import { storedEvent, type StoredEvent } from '../../log/stored-event.js';
import type { Position } from '../../protocol/position.js';
import type { ChannelOptions } from '../../sse.options.js';
import { channelSettings, moduleSettings, type ChannelSettings } from '../../sse.settings.js';
import { eventually } from './eventually.js';
import { Listener } from './listener.js';

export const settingsOf = (options: ChannelOptions = {}): ChannelSettings =>
  channelSettings(options, moduleSettings().channel);

export const stored = (data: unknown): StoredEvent => storedEvent({ data }, 'publisher', Infinity);

/** The numbers from 0 on. */
export const numbers = (count: number): number[] => Array.from({ length: count }, (_, n) => n);

/** The data of entries, as it was before it was encoded. */
export const dataOf = (entries: readonly LogEntry[]): unknown[] =>
  entries.map(({ event: { json, data } }) =>
    json && data !== undefined ? (JSON.parse(data) as unknown) : data,
  );

export const offsetsOf = (positions: readonly Position[]): number[] => positions.map(({ offset }) => offset);

/** The positions that entries have. */
export const positionsOf = (entries: readonly Position[]): Position[] =>
  entries.map(({ offset, mark }) => ({ offset, mark }));

/** The same answer by both ways to ask. */
export const bothWays = (data: unknown[] | undefined) => ({ read: data, followed: data });

/** One channel of a test, whose name no other has unless one is given. */
export function channelOn(
  backplane: SseBackplane,
  options?: ChannelOptions,
  channel = `contract/${randomUUID()}`,
) {
  const settings = settingsOf(options);
  const append = (data: unknown = 'x') => backplane.append(channel, settings, stored(data));
  /** Reads all that is kept, but for what the query leaves out. */
  const read = (query: Partial<RangeQuery> = {}) =>
    backplane.read(channel, settings, { limit: Infinity, ...query });
  const complete = () => backplane.complete(channel, settings);
  const listener = () => new Listener(backplane, channel, settings).ready;
  return {
    backplane,
    channel,
    settings,
    append,
    /** Appends the numbers from 0 on, each when the one before it is stored. */
    appendNumbers: async (count: number) => {
      const positions: Position[] = [];
      for (let n = 0; n < count; n++) positions.push(await append(n));
      return positions;
    },
    /** Appends the numbers from 0 on, without waiting for one before the next. */
    appendAtOnce: (count: number) => Promise.all(numbers(count).map((n) => append(n))),
    complete,
    purge: () => backplane.purge(channel),
    listener,
    read,
    /** The data of all that is kept, oldest first. */
    kept: async () => dataOf((await read()).entries),
    /** The data that a reader gets from a position on, by both ways to ask; undefined where it is told of a gap. */
    from: async (position: Position) => {
      const { entries, missing } = await read({ after: position });
      const follower = await listener();
      const followed = await follower.after(position);
      follower.stop();
      return { read: missing ? undefined : dataOf(entries), followed: followed && dataOf(followed) };
    },
    /** Completes the channel, and waits until its `ttl` is over and its log is gone. */
    end: async () => {
      // Only a completed channel ends on every backplane: some keep the others for as long as there is room.
      await complete();
      await eventually(async () => (await read()).head.offset === 0);
    },
  };
}

export type ChannelUnderTest = ReturnType<typeof channelOn>;

/** Makes a channel of that name, or of one that no other has. */
export type MakeChannel = (options?: ChannelOptions, name?: string) => ChannelUnderTest;
