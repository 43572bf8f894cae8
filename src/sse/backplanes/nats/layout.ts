import { RepublishHeaders } from '@nats-io/jetstream';
import type { Msg } from '@nats-io/transport-node';
import { newMark } from '../common/mark.js';
import type { Position } from '../../protocol/position.js';
import { isObject } from '../../values.js';
import { objectIn } from '../common/event-text.js';

/**
 * The form of everything stored in JetStream, as `index.ts` describes it: names of streams and subjects, the
 * messages of the log stream, the records of the heads stream. It does no I/O.
 */

/** A channel's name as one token of a subject: no dot, no wildcard, no space, and readable where it can be. */
export function tokenOf(channel: string): string {
  return encodeURIComponent(channel).replaceAll('.', '%2E').replaceAll('*', '%2A');
}

export const lastTokenOf = (subject: string): string => subject.slice(subject.lastIndexOf('.') + 1);

/** The channel of a subject's last token; undefined if this package did not make the subject. */
export function channelOf(subject: string): string | undefined {
  try {
    return decodeURIComponent(lastTokenOf(subject));
  } catch {
    return undefined;
  }
}

export type Names = ReturnType<typeof namesOf>;

/** The names of the two streams, and of their subjects, which begin with the name of the stream. */
export function namesOf(prefix: string) {
  const [log, heads, live] = [`${prefix}-log`, `${prefix}-heads`, `${prefix}-live`] as const;
  return {
    log,
    heads,
    /** The log stream republishes each message, as soon as it is stored, on a subject that begins with this. */
    live,
    /** A channel's events and purges. */
    event: (token: string) => `${log}.event.${token}`,
    liveEvent: (token: string) => `${live}.event.${token}`,
    /** Ends of a channel's logs, apart from its events: every instance receives all of these. */
    end: (token: string) => `${log}.end.${token}`,
    liveEnds: `${live}.end.*`,
    head: (token: string) => `${heads}.channel.${token}`,
  };
}

/** A message of the log stream. Its sequence and its mark are a position. */
export interface Message {
  /**
   * - `event`: an event. Others may lie between `known` and it.
   * - `next`: an event that follows directly on `known`, or is the first of its log, as the server has checked.
   * - `purge`: deletes all events up to `known`, and follows directly on that.
   * - `end`: completes the log. Its text is until when that is remembered, in milliseconds since 1970.
   * - `anchor`: names a moment for the positions of absent logs: see `anchors.ts`.
   */
  readonly kind: 'event' | 'next' | 'purge' | 'end' | 'anchor';
  /** Random, made for each attempt to store a message. */
  readonly mark: string;
  /** When it was sent, by the server's clock, in milliseconds since 1970. */
  readonly at: number;
  /** The `end` of the log before this one, which identifies the log that the message belongs to. */
  readonly after: Position | undefined;
  /** The newest event of the log that its sender knew. */
  readonly known: Position | undefined;
  readonly text: string;
}

/** A message with its sequence, which is its `offset`. */
export interface StoredMessage extends Message, Position {}

const FORM =
  /^(event|next|purge|end|anchor) ([0-9A-Za-z]{8}) (\d{1,16}) (-|\d{1,16}\.\w{8}) (-|\d{1,16}\.\w{8})\n/;

/** A message about to be sent at a time by the server's clock. */
export const newMessage = (
  kind: Message['kind'],
  at: number,
  { after, known, text = '', mark = newMark() }: Partial<Omit<Message, 'kind' | 'at'>> = {},
): Message => ({ kind, mark, at, after, known, text });

export function encodeMessage({ kind, mark, at, after, known, text }: Message): string {
  return `${kind} ${mark} ${at} ${encodePosition(after)} ${encodePosition(known)}\n${text}`;
}

/** The message that was encoded; undefined if this package did not write the text. */
export function decodeMessage({ seq, text }: { seq: number; text: string }): StoredMessage | undefined {
  const head = FORM.exec(text);
  if (!head) return undefined;
  const [all, kind, mark, at, after, known] = head as unknown as [string, Message['kind'], ...string[]];
  return {
    offset: seq,
    kind,
    mark: mark as string,
    at: Number(at),
    after: decodePosition(after as string),
    known: decodePosition(known as string),
    text: text.slice(all.length),
  };
}

const encodePosition = (position: Position | undefined): string =>
  position ? `${position.offset}.${position.mark}` : '-';

function decodePosition(text: string): Position | undefined {
  if (text === '-') return undefined;
  const dot = text.indexOf('.');
  return { offset: Number(text.slice(0, dot)), mark: text.slice(dot + 1) };
}

export const positionOf = ({ offset, mark }: Position): Position => ({ offset, mark });

/**
 * The position before the first event of a log, or of one that is absent: its mark names a message, and everything
 * of the channel from that message on comes after the position.
 */
export const beginAt = ({ offset, mark }: Position): Position => ({
  offset: 0,
  mark: offset.toString(36) + mark,
});

const BEGIN = /^([0-9a-z]{1,11})([0-9A-Za-z]{8})$/;

/** The message that {@link beginAt} was given. */
export function messageOf({ offset, mark }: Position): Position | undefined {
  const parts = offset === 0 ? BEGIN.exec(mark) : null;
  return parts ? { offset: Number.parseInt(parts[1] as string, 36), mark: parts[2] as string } : undefined;
}

/** The sequence of a republished message; undefined if it did not come from the stream. */
export function sequenceOf({ headers }: Msg): number | undefined {
  const seq = Number(headers?.get(RepublishHeaders.Sequence));
  return Number.isSafeInteger(seq) && seq > 0 ? seq : undefined;
}

/** The sequence of the message before a republished one on its subject, if the stream still had it; else 0. */
export function lastSequenceOf({ headers }: Msg): number {
  return Number(headers?.get(RepublishHeaders.LastSequence)) || 0;
}

/**
 * A record of the heads stream: the one message of a channel's subject there. It outlives the channel's events, as
 * the log stream deletes the oldest of all channels when it reaches its limits.
 */
export type HeadRecord =
  /** Somebody publishes: the record says nothing about the newest event. */
  | { readonly kind: 'active'; readonly after?: Position | undefined }
  /** Nothing has come after the newest event. A publisher makes the record `active` before it publishes. */
  | { readonly kind: 'quiet'; readonly after?: Position | undefined; readonly head: Position }
  | ({ readonly kind: 'completed'; readonly head: Position } & End);

/** The end of a log, which is remembered until a time by the server's clock. */
export interface End {
  readonly after?: Position | undefined;
  readonly end: Position;
  readonly until: number;
}

/** A time that never comes is written as text, as JSON has no `Infinity`. */
export const encodeRecord = (record: HeadRecord): string =>
  JSON.stringify(record, (_key, value: unknown) => (value === Infinity ? 'Infinity' : value));

/** The record that was encoded; undefined if this package did not write the text. */
export function decodeRecord(text: string): HeadRecord | undefined {
  const read = objectIn(text) as { until?: unknown } | undefined;
  if (read?.until === 'Infinity') read.until = Infinity;
  return read && isRecord(read) ? read : undefined;
}

function isRecord(read: object): read is HeadRecord {
  const { kind, after, head, end, until } = read as Partial<Record<string, unknown>>;
  if (after !== undefined && !isPosition(after)) return false;
  if (kind === 'active') return true;
  if (kind === 'quiet') return isPosition(head);
  return kind === 'completed' && isPosition(head) && isPosition(end) && typeof until === 'number';
}

function isPosition(value: unknown): value is Position {
  const { offset, mark } = (isObject(value) ? value : {}) as Partial<Record<string, unknown>>;
  return Number.isSafeInteger(offset) && typeof mark === 'string';
}
