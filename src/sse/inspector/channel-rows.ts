import type { Channel } from '../channels/channel.js';
import type { Channels } from '../channels/channels.js';
import type { EventLog } from '../log/event-log.js';
import { compare } from './connection-rows.js';

/** A channel that somebody listens to, as one instance knows it. Times are milliseconds since 1970. */
export interface ChannelRow {
  readonly name: string;
  readonly definition: string | undefined;
  /** Streams that read it. */
  readonly subscribers: number;
  readonly log: LogRow | undefined;
}

export interface LogRow {
  readonly events: number;
  readonly bytes: number;
  /** When its oldest event was published; null where it has none. */
  readonly oldestAt: number | null;
  readonly newestAt: number | null;
  /** Events per second, over the last ten or as long as the log reaches back. */
  readonly rate: number;
  /** The offset of the newest event. */
  readonly head: number;
  readonly state: 'absent' | 'open' | 'completed';
}

export type ChannelSort = 'name' | 'subscribers' | 'rate' | 'events' | 'bytes';

export interface ChannelQuery {
  /** Part of a name or of a definition. */
  readonly text: string;
  readonly sort: ChannelSort;
  readonly order: 'up' | 'down';
}

const WINDOW = 10_000;

/** The channels that somebody listens to on this instance. */
export class ChannelRows {
  constructor(private readonly channels: Channels) {}

  list(
    { text, sort, order }: ChannelQuery,
    limit: number,
  ): { readonly total: number; readonly rows: ChannelRow[] } {
    const now = Date.now();
    const sign = order === 'up' ? 1 : -1;
    const keyed = [...this.channels.all]
      .filter(
        ({ name, definition }) =>
          name.toLowerCase().includes(text) || definition?.toLowerCase().includes(text),
      )
      .map((channel) => ({ channel, key: keyOf(channel, sort, now) }));
    keyed.sort((one, other) => sign * compare(one.key, other.key));
    return { total: keyed.length, rows: keyed.slice(0, limit).map(({ channel }) => rowOf(channel, now)) };
  }

  of(name: string): ChannelRow | undefined {
    const channel = this.channels.get(name);
    return channel && rowOf(channel, Date.now());
  }

  /** The names of those whose ids have this hash. */
  withHash(hash: string): string[] {
    return [...this.channels.all].filter((channel) => channel.hash === hash).map(({ name }) => name);
  }
}

export const channelKey = (row: ChannelRow, sort: ChannelSort): string | number =>
  sort === 'name' || sort === 'subscribers' ? row[sort] : (row.log?.[sort] ?? 0);

/** What several instances say of a channel. Each has the same log, so the one that has read most of it counts. */
export function merged(rows: readonly ChannelRow[]): ChannelRow[] {
  const byName = new Map<string, ChannelRow>();
  for (const row of rows) {
    const other = byName.get(row.name);
    const isNewer = (row.log?.head ?? 0) > (other?.log?.head ?? 0);
    const subscribers = row.subscribers + (other?.subscribers ?? 0);
    byName.set(row.name, { ...(other && !isNewer ? other : row), subscribers });
  }
  return [...byName.values()];
}

function keyOf(channel: Channel, sort: ChannelSort, now: number): string | number {
  if (sort === 'name') return channel.name;
  if (sort === 'subscribers') return channel.readers.size;
  if (!channel.isOpen) return 0;
  const { log } = channel;
  return sort === 'rate' ? rateOf(log, now) : sort === 'events' ? log.size : log.bytes;
}

const rowOf = (channel: Channel, now: number): ChannelRow => ({
  name: channel.name,
  definition: channel.definition,
  subscribers: channel.readers.size,
  log: channel.isOpen ? logOf(channel.log, now) : undefined,
});

const logOf = (log: EventLog, now: number): LogRow => ({
  events: log.size,
  bytes: log.bytes,
  oldestAt: log.at(0)?.at ?? null,
  newestAt: log.at(log.size - 1)?.at ?? null,
  rate: rateOf(log, now),
  head: log.head.offset,
  state: log.completed ? 'completed' : log.isAbsent ? 'absent' : 'open',
});

/** Found in the log itself, so that nothing has to be counted while nobody looks. */
function rateOf(log: EventLog, now: number): number {
  const oldest = log.at(0);
  if (!oldest) return 0;
  const from = Math.max(now - WINDOW, oldest.at);
  let low = 0;
  let high = log.size;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((log.at(middle)?.at ?? Infinity) < from) low = middle + 1;
    else high = middle;
  }
  // A log of its first second would show a rate that it does not have.
  return ((log.size - low) * 1_000) / Math.max(now - from, 1_000);
}
