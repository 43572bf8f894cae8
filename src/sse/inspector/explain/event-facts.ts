import type { SseBackplane } from '../../log/backplane.js';
import type { LogEntry } from '../../log/event-log.js';
import { channelHash, formatId, parseId, parseLastEventId, type Position } from '../../protocol/position.js';
import type { ChannelSettings } from '../../sse.settings.js';

/** The event that is asked about, before its channel is looked into. */
export interface EventReference {
  /** The channel that the reference itself names. */
  readonly channel: string | undefined;
  /** Four characters of an id, by which its channel is found. */
  readonly hash: string | undefined;
  /** `latest` for the newest event of the channel. An offset comes without a mark. */
  readonly place: 'latest' | { readonly offset: number; readonly mark: string | undefined };
}

/** The event as its log has it. Times are milliseconds since 1970. */
export interface EventFacts {
  readonly channel: string;
  readonly offset: number;
  /** Its id; empty where it is not known. */
  readonly id: string;
  /**
   * - `kept`: it is in the log;
   * - `gone`: it was, and newer events have pushed it out, or it was purged;
   * - `unknown`: the log has, and had, no such event.
   */
  readonly state: 'kept' | 'gone' | 'unknown';
  readonly at: number | undefined;
  readonly type: string | undefined;
  readonly bytes: number | undefined;
  /** The beginning of its data. */
  readonly data: string | undefined;
  /** The offsets of the oldest and of the newest event that are kept; 0 for none. */
  readonly oldest: number;
  readonly newest: number;
}

/** Characters of data that are shown. */
const SHOWN = 500;
/** Events that are looked through for an offset without a mark. */
const SEARCHED = 10_000;

/** Reads an id, an offset, or `latest`. @returns undefined for other text */
export function referenceOf(text: string, channel: string | undefined): EventReference | undefined {
  if (text === 'latest') return { channel, hash: undefined, place: 'latest' };
  if (/^\d{1,15}$/.test(text))
    return { channel, hash: undefined, place: { offset: Number(text), mark: undefined } };
  const parsed = parseLastEventId(text);
  if (parsed.kind === 'named') {
    // The id of a response of several channels: the position in the one that is asked about, or in the only one that has any.
    const known = [...parsed.positions].filter(
      ([name, id]) => id && (channel === undefined || name === channel),
    );
    const [name, id] = known.length === 1 ? (known[0] ?? []) : [];
    return id && { channel: name, hash: id.hash, place: id.position };
  }
  const id = parseId(text);
  return id && { channel, hash: id.hash, place: id.position };
}

/** Looks an event up in the log of its channel. */
export async function factsOf(
  channel: string,
  place: EventReference['place'],
  settings: ChannelSettings,
  backplane: SseBackplane,
): Promise<EventFacts> {
  const hash = channelHash(channel);
  const { entries, head, floor } = await backplane.read(channel, settings, queryFor(place));
  const offset = place === 'latest' ? head.offset : place.offset;
  const entry = entries.find((one) => one.offset === offset && hasMark(one, place));
  const isOfLog = entry !== undefined || isBehind({ offset, place }, floor);
  return {
    channel,
    offset,
    id: entry ? formatId(entry, hash) : idOf(place, hash),
    state: entry ? 'kept' : isOfLog ? 'gone' : 'unknown',
    ...shown(entry),
    oldest: head.offset > floor.offset ? floor.offset + 1 : 0,
    newest: head.offset,
  };
}

function queryFor(place: EventReference['place']): { limit: number; upTo?: Position } {
  if (place === 'latest') return { limit: 1 };
  const { offset, mark } = place;
  return mark === undefined ? { limit: SEARCHED } : { upTo: { offset, mark }, limit: 1 };
}

const hasMark = (entry: LogEntry, place: EventReference['place']): boolean =>
  place === 'latest' || place.mark === undefined || place.mark === entry.mark;

/** Whether an event has left the log: up to the last that has left, events cannot be told from those of another log. */
function isBehind(
  { offset, place }: { offset: number; place: EventReference['place'] },
  floor: Position,
): boolean {
  if (offset === 0 || offset > floor.offset) return false;
  const isLast = offset === floor.offset && place !== 'latest' && place.mark !== undefined;
  return !isLast || place.mark === floor.mark;
}

const idOf = (place: EventReference['place'], hash: string): string =>
  place === 'latest' || place.mark === undefined
    ? ''
    : formatId({ offset: place.offset, mark: place.mark }, hash);

function shown(entry: LogEntry | undefined): Pick<EventFacts, 'at' | 'type' | 'bytes' | 'data'> {
  if (!entry) return { at: undefined, type: undefined, bytes: undefined, data: undefined };
  const { type, bytes, data } = entry.event;
  return { at: entry.at, type: type ?? 'message', bytes, data: data?.slice(0, SHOWN) };
}
