import { RepublishHeaders } from '@nats-io/jetstream';
import type { Msg } from '@nats-io/transport-node';
import { decodeEvent, encodeEvent } from '../remote/event-text.js';
import type { StoredEvent } from '../../hub/stored-event.js';

/** What a channel's subject has at one sequence. */
export interface Message {
  /** When it was published, in milliseconds since 1970. */
  readonly at: number;
  /** What the channel has up to this offset is to be deleted. */
  readonly trimmed: number;
  readonly event: StoredEvent;
}

/** A line of two numbers, and the event. */
const FORM = /^(\d{1,16}) (\d{1,16})\n/;

export function encodeMessage({ at, trimmed, event }: Message): string {
  return `${at} ${trimmed}\n${encodeEvent(event)}`;
}

/** The message that was encoded; `undefined` of a text that somebody else wrote. */
export function decodeMessage(text: string): Message | undefined {
  const start = FORM.exec(text);
  const event = start ? decodeEvent(text.slice(start[0].length)) : undefined;
  return start && event ? { at: Number(start[1]), trimmed: Number(start[2]), event } : undefined;
}

/** When a message was published, without a look at the rest. */
export function atOf(text: string): number | undefined {
  const start = FORM.exec(text);
  return start ? Number(start[1]) : undefined;
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
