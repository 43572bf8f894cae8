/**
 * A place in one channel's log: everything up to and including `offset` has been seen.
 *
 * Offsets mean something only within their epoch, the short random string that was made with the
 * log. A log that was lost and made anew has another epoch, so a position of the old one is never
 * mistaken for one of the new.
 */
export interface Position {
  readonly epoch: string;
  readonly offset: number;
}

/**
 * The longest id that is sent or read, in bytes. A browser sends it back as a request header, and
 * servers and proxies refuse heads of 8 to 16 kB; an EventSource that gets a 400 or 431 is dead.
 */
export const MAX_ID_BYTES = 4096;

const LONGEST_EPOCH = 16;
const LONGEST_OFFSET = 16;
const POSITION = /^([0-9A-Za-z]{1,16})-(\d{1,16})$/;

export function formatPosition(position: Position): string {
  return `${position.epoch}-${position.offset}`;
}

/** The position that a text names, if it is one. */
export function parsePosition(text: string): Position | undefined {
  const match = POSITION.exec(text);
  if (!match) return undefined;
  const offset = Number(match[2]);
  return Number.isSafeInteger(offset) ? { epoch: match[1] as string, offset } : undefined;
}

/** In the place of a position, for a channel without history: it is streamed, and that is all there is to say. */
const NO_HISTORY = '*';

/**
 * One channel's part of an id that holds the positions of several.
 *
 * @param position undefined for a channel without history
 */
export function formatNamed(channel: string, position: Position | undefined): string {
  return `${encodeURIComponent(channel)}=${position ? formatPosition(position) : NO_HISTORY}`;
}

/** What a client says it has seen. */
export type LastEventId =
  /** Nothing: it is here for the first time. */
  | { readonly kind: 'none' }
  /** One position without a name, as a stream of one channel sends it. */
  | { readonly kind: 'bare'; readonly text: string; readonly position: Position }
  /** A position for each channel that it names; undefined for one without history. */
  | {
      readonly kind: 'named';
      readonly text: string;
      readonly positions: ReadonlyMap<string, Position | undefined>;
    }
  /** Something that this package never sent. */
  | { readonly kind: 'unreadable'; readonly text: string };

export const NO_POSITION: LastEventId = { kind: 'none' };

/** Reads a `Last-Event-ID`. Whatever a client sends has an answer; nothing throws. */
export function parseLastEventId(text: string | undefined): LastEventId {
  if (!text) return NO_POSITION;
  if (text.length > MAX_ID_BYTES) return { kind: 'unreadable', text: text.slice(0, 200) };
  if (!text.includes('=')) {
    const position = parsePosition(text);
    return position ? { kind: 'bare', text, position } : { kind: 'unreadable', text };
  }
  const positions = new Map<string, Position | undefined>();
  for (const part of text.split('&')) {
    const equals = part.indexOf('=');
    const place = part.slice(equals + 1);
    const position = parsePosition(place);
    const channel = equals > 0 ? decode(part.slice(0, equals)) : undefined;
    if ((!position && place !== NO_HISTORY) || channel === undefined) return { kind: 'unreadable', text };
    positions.set(channel, position);
  }
  return { kind: 'named', text, positions };
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

/** Whether a client says that it has seen up to a position, or beyond. */
export function hasSeen(lastEventId: LastEventId, { epoch, offset }: Position): boolean {
  if (lastEventId.kind === 'bare')
    return lastEventId.position.epoch === epoch && offset <= lastEventId.position.offset;
  if (lastEventId.kind !== 'named') return false;
  for (const seen of lastEventId.positions.values()) if (seen?.epoch === epoch) return offset <= seen.offset;
  return false;
}

/** What a client asked of one channel. */
export type Requested =
  | { readonly kind: 'none' }
  | { readonly kind: 'position'; readonly position: Position }
  | { readonly kind: 'unreadable'; readonly text: string };

/**
 * Hands a client's id out to the channels of its response.
 *
 * A channel that a named id leaves out has no position. A bare id belongs to the channel whose epoch
 * it is; if it is nobody's it may be any one's from before a restart, so each is asked and says `gap`.
 *
 * @param epochs the epoch of each channel of the response
 */
export function positionsFor(
  lastEventId: LastEventId,
  epochs: ReadonlyMap<string, string>,
): ReadonlyMap<string, Requested> {
  const owner = lastEventId.kind === 'bare' ? ownerOf(lastEventId.position, epochs) : undefined;
  const requested = new Map<string, Requested>();
  for (const channel of epochs.keys()) requested.set(channel, requestedBy(lastEventId, channel, owner));
  return requested;
}

function ownerOf(position: Position, epochs: ReadonlyMap<string, string>): string | undefined {
  for (const [channel, epoch] of epochs) if (epoch === position.epoch) return channel;
  return undefined;
}

function requestedBy(lastEventId: LastEventId, channel: string, owner: string | undefined): Requested {
  switch (lastEventId.kind) {
    case 'none':
      return lastEventId;
    case 'unreadable':
      return lastEventId;
    case 'bare':
      return owner === undefined || owner === channel
        ? { kind: 'position', position: lastEventId.position }
        : { kind: 'none' };
    case 'named': {
      const position = lastEventId.positions.get(channel);
      return position ? { kind: 'position', position } : { kind: 'none' };
    }
  }
}

/** The most bytes that an id with the positions of these channels takes. */
export const longestId = (channels: readonly string[]): number =>
  channels.reduce((sum, channel) => sum + encodedLength(channel), 0);

/** The most bytes that a channel takes of an id, with the sign that separates it from the next. */
export function encodedLength(channel: string): number {
  return encodeURIComponent(channel).length + 1 + LONGEST_EPOCH + 1 + LONGEST_OFFSET + 1;
}
