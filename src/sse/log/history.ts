import {
  channelHash,
  formatId,
  formatIds,
  NOWHERE,
  parseLastEventId,
  requestedIn,
  type Position,
  type Requested,
} from '../protocol/position.js';
import type { ChannelSettings } from '../sse.settings.js';
import type { LogRange, RangeQuery, SseBackplane } from './backplane.js';
import type { LogEntry } from './event-log.js';
import { publishedEvent } from './published-event.js';
import type { EventMap, GapReason, PublishedEvent } from './sse-event.js';

/** Options of `hub.history()`. */
export interface HistoryQuery {
  /** A position of the channels, an id for instance: only what came after it, the oldest first. */
  readonly after?: string;
  /** A position of the channels, the `start` of a page for instance: only events up to it, the newest `limit` of them. */
  readonly upTo?: string;
  /** The most events to return, of all channels together: a whole number of at least 1. @defaultValue all that are kept */
  readonly limit?: number;
}

/** A page of the history of a channel, or of several. */
export interface ChannelHistory<Events extends EventMap> {
  /** Oldest first: those of a channel in the order of its log, those of several in the order of their publishing. */
  readonly events: readonly PublishedEvent<Events>[];
  /** The position before the first of them. Pass it as `upTo` for the page before this one. */
  readonly start: string;
  /**
   * The position after the last of them. Pass it as `after` for the next page; a stream of the same channels that begins
   * here continues them without a hole. The empty string if none of the channels has a history.
   */
  readonly position: string;
  /** Why events may be missing between `after`, or `upTo`, and these; undefined when none are. */
  readonly gap?: GapReason;
}

/** The part that one channel has in a page. */
interface Part {
  readonly channel: string;
  readonly hash: string;
  /** Undefined on a channel without history. */
  readonly range: LogRange | undefined;
  /** The position at which the range ends. */
  readonly last: Position | undefined;
  readonly gap: GapReason | undefined;
}

/** Reads a page of the past of some channels: in each the order is that of the log, between them that of the time. */
export async function readPast(
  channels: ReadonlyMap<string, ChannelSettings>,
  { after, upTo, limit = Infinity }: HistoryQuery,
  backplane: SseBackplane,
): Promise<ChannelHistory<EventMap>> {
  const requestedOf = requestedBy([...channels.keys()]);
  const parts = await Promise.all(
    [...channels].map(async ([channel, settings]): Promise<Part> => {
      const hash = channelHash(channel);
      if (!settings.history) return { channel, hash, range: undefined, last: undefined, gap: undefined };
      const [from, to] = [requestedOf(channel, after), requestedOf(channel, upTo)];
      const query = { ...positionOf('after', from), ...positionOf('upTo', to), limit };
      const range = await backplane.read(channel, settings, query);
      const isUnreadable = from.kind === 'unreadable' || to.kind === 'unreadable';
      const end = to.kind === 'position' && !range.missing ? to.position : range.head;
      const last = range.entries.at(-1) ?? end;
      return { channel, hash, range, last, gap: isUnreadable ? 'unreadable' : range.missing };
    }),
  );
  const items = inOrderOfTime(parts);
  const page = after === undefined ? items.slice(-limit) : items.slice(0, limit);
  const bounds = parts.map((part) => {
    const entries = part.range?.entries ?? [];
    const count = page.filter((item) => item.part === part).length;
    const first = after === undefined ? entries.length - count : 0;
    const start = entries[first]?.previous ?? part.last;
    return { part, start, end: entries[first + count - 1] ?? start };
  });
  const gap = parts.find((part) => part.gap)?.gap;
  return {
    events: page.map(({ part: { channel, hash, range }, entry }) =>
      publishedEvent(channel, logOf(range as LogRange), entry, hash),
    ),
    start: formatIds(bounds.map(({ part, start }) => namedIn(part, start))),
    position: formatIds(bounds.map(({ part, end }) => namedIn(part, end))),
    ...(gap && { gap }),
  };
}

/** Reads ids for some channels. No log is at hand, so an id counts for both of two channels with the same hash. */
function requestedBy(channels: readonly string[]): (channel: string, id: string | undefined) => Requested {
  const candidates = new Map(channels.map((name) => [name, { hash: channelHash(name), has: () => false }]));
  return (channel, id) => requestedIn(channel, parseLastEventId(id), candidates);
}

/** A position, as a query takes it; one that cannot be read is in no log. */
function positionOf(name: 'after' | 'upTo', requested: Requested): Partial<RangeQuery> {
  if (requested.kind === 'none') return {};
  return { [name]: requested.kind === 'position' ? requested.position : NOWHERE };
}

/** Each log stays in its order, although the clocks of those who publish may differ. */
function inOrderOfTime(parts: readonly Part[]): { readonly part: Part; readonly entry: LogEntry }[] {
  const items = parts.flatMap((part) => {
    let time = 0;
    return (part.range?.entries ?? []).map((entry) => {
      time = Math.max(time, entry.at);
      return { part, entry, time };
    });
  });
  return items.sort((one, other) => one.time - other.time);
}

const namedIn = (
  { channel, hash }: Part,
  position: Position | undefined,
): readonly [channel: string, id: string | undefined] => [channel, position && formatId(position, hash)];

/** The log of an event's origin, as far as it was read. */
const logOf = ({ floor, head, entries }: LogRange) => ({
  has: ({ offset, mark }: Position): boolean =>
    [floor, head, ...entries].some((one) => one.offset === offset && one.mark === mark),
});
