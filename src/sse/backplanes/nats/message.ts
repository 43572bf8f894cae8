import { RepublishHeaders } from '@nats-io/jetstream';
import type { Msg } from '@nats-io/transport-node';
import { newMark } from '../../log/mark.js';
import type { Position } from '../../protocol/position.js';

/** A message as the stream of the logs keeps it. Where it is stored, its sequence and its mark are a position. */
export interface Message {
  /**
   * - `event`: an event. Others may lie between it and `known`.
   * - `next`: an event that follows directly on `known`, or is the first of its log, as the server has checked.
   * - `purge`: all events up to `known` were let go of, and none lies between that and this.
   * - `end`: the log was completed; its text is until when, in milliseconds since 1970.
   * - `anchor`: says nothing but that it is there.
   */
  readonly kind: 'event' | 'next' | 'purge' | 'end' | 'anchor';
  /** Random, made for each attempt to store a message. */
  readonly mark: string;
  /** When it was sent, by the server's clock, in milliseconds since 1970. */
  readonly at: number;
  /** The message that ended the log before this one: so it names the log that this one is of. */
  readonly after: Position | undefined;
  /** The newest event of the log that its sender knew. */
  readonly known: Position | undefined;
  readonly text: string;
}

/** A message at its place in the stream. */
export interface Kept extends Message, Position {}

const FORM =
  /^(event|next|purge|end|anchor) ([0-9A-Za-z]{8}) (\d{1,16}) (-|\d{1,16}\.\w{8}) (-|\d{1,16}\.\w{8})\n/;

export function encodeMessage({ kind, mark, at, after, known, text }: Message): string {
  return `${kind} ${mark} ${at} ${encodePosition(after)} ${encodePosition(known)}\n${text}`;
}

/** The message that was encoded; `undefined` of a text that somebody else wrote. */
export function decodeMessage(offset: number, text: string): Kept | undefined {
  const head = FORM.exec(text);
  if (!head) return undefined;
  const [all, kind, mark, at, after, known] = head as unknown as [string, Message['kind'], ...string[]];
  return {
    offset,
    kind,
    mark: mark as string,
    at: Number(at),
    after: decodePosition(after as string),
    known: decodePosition(known as string),
    text: text.slice(all.length),
  };
}

export const anchor = (at: number): Message => ({
  kind: 'anchor',
  mark: newMark(),
  at,
  after: undefined,
  known: undefined,
  text: '',
});

const encodePosition = (position: Position | undefined): string =>
  position ? `${position.offset}.${position.mark}` : '-';

function decodePosition(text: string): Position | undefined {
  if (text === '-') return undefined;
  const dot = text.indexOf('.');
  return { offset: Number(text.slice(0, dot)), mark: text.slice(dot + 1) };
}

export const positionOf = ({ offset, mark }: Position): Position => ({ offset, mark });

/** The later of two, of which one may not be there. */
export function later(one: Position | undefined, other: Position | undefined): Position | undefined {
  if (!one || !other) return one ?? other;
  return other.offset > one.offset ? other : one;
}

/**
 * A position before the first event of a log, or of one that is not there yet: everything of the channel that comes
 * after a message, or is that message.
 */
export const beginAt = ({ offset, mark }: Position): Position => ({
  offset: 0,
  mark: offset.toString(36) + mark,
});

const BEGIN = /^([0-9a-z]{1,11})([0-9A-Za-z]{8})$/;

/** The message that such a position names. */
export function messageOf({ offset, mark }: Position): Position | undefined {
  const parts = offset === 0 ? BEGIN.exec(mark) : null;
  return parts ? { offset: Number.parseInt(parts[1] as string, 36), mark: parts[2] as string } : undefined;
}

/** The sequence of a message that came live; nothing if it did not come from the stream. */
export function sequenceOf({ headers }: Msg): number | undefined {
  const seq = Number(headers?.get(RepublishHeaders.Sequence));
  return Number.isSafeInteger(seq) && seq > 0 ? seq : undefined;
}

/** The sequence of the one before it on its subject that the stream still had; 0 if it had none. */
export function lastSequenceOf({ headers }: Msg): number {
  return Number(headers?.get(RepublishHeaders.LastSequence)) || 0;
}
