import { RESERVED_TYPES, type AnyEvents, type EventMap, type Gap } from '../log/sse-event.js';
import { jsonOrText } from '../protocol/event-stream.js';
import type { PresenceEvent } from '../presence-member.js';
import type { AnyReceived, ConnectOptions } from './options.js';
import type { Message } from './transport.js';

/** A user who streams a channel. Only members who were there before this client have `connections` and `since`. */
export interface ChannelMember extends PresenceEvent {
  /** How many connections the user had when the list was made. */
  readonly connections?: number;
  /** When the user came: an ISO 8601 string. */
  readonly since?: string;
}

/** Events of the hub about a channel. */
export type ChannelNews =
  | { readonly type: 'gap'; readonly data: Gap }
  | { readonly type: 'snapshot'; readonly data: { readonly channel: string; readonly state: unknown } }
  | {
      readonly type: 'members';
      readonly data: { readonly channel: string; readonly members: readonly ChannelMember[] };
    }
  | {
      readonly type: 'denied';
      readonly data: { readonly channel: string; readonly reason: 'forbidden' | 'revoked' };
    };

/** All events of the hub. */
export type News =
  | ChannelNews
  | { readonly type: 'connection'; readonly data: { readonly id: string } }
  | { readonly type: 'error'; readonly data: string }
  | { readonly type: 'expired' | 'sse-position'; readonly data: unknown };

/** A block of a stream, read. */
export type Received<Events extends EventMap = AnyEvents> =
  | { readonly kind: 'event'; readonly event: AnyReceived<Events> }
  | { readonly kind: 'news'; readonly news: News };

/** Only the position moves. */
const PASSED_OVER: Received = { kind: 'news', news: { type: 'sse-position', data: undefined } };

/** @throws whatever `parse()` throws */
export function receivedOf<Events extends EventMap>(
  { event: type = 'message', data: text }: Message,
  id: string,
  channel: string | undefined,
  parse: ConnectOptions['parse'] = jsonOrText,
): Received<Events> {
  if (RESERVED_TYPES.has(type))
    return { kind: 'news', news: { type, data: type === 'error' ? text : jsonOrText(text) } as News };
  const data = parse(text, type, channel);
  if (data === undefined) return PASSED_OVER;
  const event = { type, data, id, ...(channel !== undefined && { channel }) };
  return { kind: 'event', event: event as AnyReceived<Events> };
}
