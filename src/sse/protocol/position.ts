import { uriDecoded } from './channel-name.js';

/**
 * A place in one channel's log: everything up to and including one event has been seen.
 *
 * It names that very event. Its `offset` says where it is, its `mark` which one it is: a log that was lost and
 * made anew, or came back older, may use an offset again, but never a mark. A position of offset 0 lies before
 * a log's first event, also of a log that does not exist yet.
 */
export interface Position {
  readonly offset: number;
  /** 1 to 28 letters and digits. */
  readonly mark: string;
}

/** Whether both are the place of the same event, or there is neither. */
export const isSamePosition = (one: Position | undefined, other: Position | undefined): boolean =>
  one === other || (one?.offset === other?.offset && one?.mark === other?.mark);

/**
 * The longest id that is sent or read, in bytes. A browser sends it back as a request header, and
 * servers and proxies refuse heads of 8 to 16 kB; an EventSource that gets a 400 or 431 is dead.
 */
export const MAX_ID_BYTES = 4096;

const HASH_LENGTH = 4;
const ID = /^(\d{1,16})\.([0-9A-Za-z]{1,28})([0-9A-Za-z]{4})$/;

/** The ids of version 0.1: the random name of a log, and an offset. */
const OF_VERSION_0_1 = /^[0-9A-Za-z]{1,16}-\d{1,16}$/;

/** A position that no log holds: for ids of version 0.1, and ids that cannot be read. */
export const NOWHERE: Position = { offset: Number.MAX_SAFE_INTEGER, mark: '' };

const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/** A hash of a channel's name (FNV-1a), 0 to 2³² - 1, the same in every process. */
export function channelNumber(channel: string): number {
  let number = 0x811c9dc5;
  for (let i = 0; i < channel.length; i++) number = Math.imul(number ^ channel.charCodeAt(i), 0x01000193);
  // The low bits of a short name differ little: mix them.
  number ^= number >>> 15;
  number = Math.imul(number, 0x2c1b3c6d);
  return (number ^ (number >>> 13)) >>> 0;
}

/** Four characters by which an id finds its channel among those of a response. */
export function channelHash(channel: string): string {
  let number = channelNumber(channel);
  let hash = '';
  for (let i = 0; i < HASH_LENGTH; i++) {
    hash += DIGITS[number % DIGITS.length] as string;
    number = Math.floor(number / DIGITS.length);
  }
  return hash;
}

/** An event's id: its position, and the hash of its channel's name. */
export const formatId = ({ offset, mark }: Position, hash: string): string => `${offset}.${mark}${hash}`;

/** Stands in an id for a channel without history, which is streamed and has no position. */
const NO_HISTORY = '*';

/**
 * What the ids of a response say:
 *
 * - `full`: the position in every channel, as an EventSource keeps nothing but its last id.
 * - `own`: the position in the event's own channel alone. The client has asked for it, and keeps one for each channel.
 */
export type IdForm = 'full' | 'own';

/**
 * An id that names its channel.
 *
 * @param encodedName `encodeURIComponent()` of the channel's name
 * @param id undefined for a channel without history
 */
export const namedId = (encodedName: string, id: string | undefined): string =>
  `${encodedName}=${id ?? NO_HISTORY}`;

/**
 * An id that holds the positions of several channels, each as its own id would.
 *
 * @param ids by channel; undefined for a channel without history
 */
export const formatVector = (ids: readonly (readonly [channel: string, id: string | undefined])[]): string =>
  ids.map(([channel, id]) => namedId(encodeURIComponent(channel), id)).join('&');

/** The id of some channels, as {@link formatVector} takes them: that of the only one is its own id. */
export const formatIds = (ids: readonly (readonly [channel: string, id: string | undefined])[]): string =>
  ids.length > 1 ? formatVector(ids) : (ids[0]?.[1] ?? '');

/** The id of one event, as a stream of one channel sends it. */
export interface EventId {
  readonly kind: 'bare';
  readonly text: string;
  readonly position: Position;
  readonly hash: string;
}

/** The last event ID of a client: all that it says it has seen. */
export type LastEventId =
  /** Nothing: it is here for the first time. */
  | { readonly kind: 'none' }
  | EventId
  /** A position for each channel that it names; undefined for one without history. */
  | {
      readonly kind: 'named';
      readonly text: string;
      readonly positions: ReadonlyMap<string, EventId | undefined>;
    }
  /** Something that this package never sent. */
  | { readonly kind: 'unreadable'; readonly text: string };

export const NO_POSITION = { kind: 'none' } as const;

/** Reads a `Last-Event-ID`. Whatever a client sends has an answer; nothing throws. */
export function parseLastEventId(text: string | undefined): LastEventId {
  if (!text) return NO_POSITION;
  if (text.length > MAX_ID_BYTES) return { kind: 'unreadable', text: text.slice(0, 200) };
  return text.includes('=') ? parseNamed(text) : parseBare(text);
}

function parseBare(text: string): Extract<LastEventId, { kind: 'bare' | 'unreadable' }> {
  const [, digits, mark = '', hash = ''] = ID.exec(text) ?? [];
  const offset = Number(digits);
  if (Number.isSafeInteger(offset)) return { kind: 'bare', text, position: { offset, mark }, hash };
  if (OF_VERSION_0_1.test(text)) return { kind: 'bare', text, position: NOWHERE, hash: '' };
  return { kind: 'unreadable', text };
}

function parseNamed(text: string): LastEventId {
  const positions = new Map<string, EventId | undefined>();
  for (const part of text.split('&')) {
    const equals = part.indexOf('=');
    const value = part.slice(equals + 1);
    const id = parseBare(value);
    const channel = equals > 0 ? uriDecoded(part.slice(0, equals)) : undefined;
    if ((id.kind !== 'bare' && value !== NO_HISTORY) || channel === undefined)
      return { kind: 'unreadable', text };
    positions.set(channel, id.kind === 'bare' ? id : undefined);
  }
  return { kind: 'named', text, positions };
}

/** Reads the position in one channel that a client has kept: what a named id has behind its name, or `''` for none. */
export const parseKept = (text: string): LastEventId =>
  text === NO_HISTORY ? NO_POSITION : parseLastEventId(text);

/** The id of one event, if the text is one. */
export function parseId(text: string): EventId | undefined {
  const parsed = parseBare(text);
  return parsed.kind === 'bare' && parsed.position !== NOWHERE ? parsed : undefined;
}

/** A position that a client asks for in one channel, or the text that could not be read as one. */
export type NamedPosition =
  | { readonly kind: 'position'; readonly position: Position; readonly text: string }
  | { readonly kind: 'unreadable'; readonly text: string };

/** All that a client may ask for in one channel. */
export type Requested = { readonly kind: 'none' } | NamedPosition;

/** A channel that an id may belong to. */
export interface Candidate {
  readonly hash: string;
  /** Whether its log holds that very event. */
  has(position: Position): boolean;
}

/**
 * The position that a client asks for in one of the channels of its response.
 *
 * A channel that a named id leaves out has no position. A bare id belongs
 *
 * - to the one channel that has its hash;
 * - of several with its hash to the one that holds the event, or to all of them if none does;
 * - to every channel if none has its hash.
 *
 * The log of a channel that it does not really belong to does not hold the position, so that there is a gap.
 *
 * @param channels those of the response, by name
 */
export function requestedIn(
  channel: string,
  lastEventId: LastEventId,
  channels: ReadonlyMap<string, Candidate>,
): Requested {
  if (lastEventId.kind === 'none' || lastEventId.kind === 'unreadable') return lastEventId;
  if (lastEventId.kind === 'bare' && !ownersOf(lastEventId, channels).includes(channel)) return NO_POSITION;
  const id = lastEventId.kind === 'named' ? lastEventId.positions.get(channel) : lastEventId;
  return id ? { kind: 'position', position: id.position, text: id.text } : NO_POSITION;
}

function ownersOf({ position, hash }: EventId, channels: ReadonlyMap<string, Candidate>): string[] {
  const all = [...channels.keys()];
  const alike = all.filter((name) => channels.get(name)?.hash === hash);
  const holders = alike.length > 1 ? alike.filter((name) => channels.get(name)?.has(position)) : alike;
  return [holders, alike, all].find((names) => names.length > 0) ?? [];
}

/** The most bytes of `=`, an offset, `.`, a mark, a hash, and `&` before the next channel. */
const LONGEST_POSITION = 1 + 16 + 1 + 28 + HASH_LENGTH + 1;

/** The most channels of which an id is sure to have room for the positions. */
export const MOST_NAMED = Math.floor(MAX_ID_BYTES / ('a'.length + LONGEST_POSITION));

/** The most bytes that an id with the positions of these channels takes. */
export const longestId = (channels: readonly string[]): number =>
  channels.reduce((sum, channel) => sum + encodeURIComponent(channel).length + LONGEST_POSITION, 0);
