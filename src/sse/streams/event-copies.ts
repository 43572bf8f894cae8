import type { LogEntry } from '../log/event-log.js';
import type { EventCopy } from '../log/stored-event.js';
import type { StreamSubscription } from './channel-stream.js';
import type { Cursor } from './cursor.js';
import type { StreamReader } from './stream-reader.js';

/*
 * An event may be published to several channels: `hub.publish([a, b], event)`. Each copy names those that were stored before
 * it. A reader of several of these channels hands it on once, as a rule from the first of them:
 *
 * - A cursor that comes to a later copy has those of the earlier ones read first, and hides its own if one of them has
 *   handed on the event.
 * - If they have not, as there is too much before it or it has not come from the server yet, the later copy is handed on. The
 *   marks of the earlier ones are noted, and these are hidden when their cursors come to them.
 *
 * A cursor that reads only the newest events (`latest`) may have skipped one, so what it has read then counts for no copy.
 *
 * In doubt a copy is handed on, so that nothing is lost: the event then comes twice. So it does to a client that is cut off
 * between two copies, as its next response knows nothing of this one.
 */

/** By the marks of copies that cursors have ahead of them: those who have got the event already. */
export type CopiesAhead = Map<string, readonly StreamSubscription[]>;

/** Marks that are noted. With one more, the oldest is forgotten. */
const MAX_AHEAD = 1_000;

/** Has the cursors of earlier copies read, so that the event keeps its place in the order of its first channel. */
export function readEarlierCopies(also: readonly EventCopy[], { position }: StreamReader): void {
  for (const copy of also) {
    const cursor = position.of(copy.channel);
    if (cursor && !cursor.isPast(copy)) cursor.advance();
  }
}

/** The subscriptions that have not had an event in another channel. They get it now, and its other copies no more. */
export function notHadAsCopy(
  { event, mark }: LogEntry,
  cursor: Cursor,
  subscriptions: readonly StreamSubscription[],
): readonly StreamSubscription[] {
  const { reader } = cursor;
  const already = reader.copiesAhead?.get(mark);
  if (already) forget(cursor, mark);
  const { also } = event;
  if (!already && !also) return subscriptions;
  const published = cursor.isLive ? 'lately' : 'once';
  const hasHad = (subscription: StreamSubscription): boolean => {
    if (already && (isJoined(reader) || already.includes(subscription))) return true;
    return also?.some((copy) => hadIn(copy, cursor, subscription, published)) ?? false;
  };
  const getting = subscriptions.filter((subscription) => !hasHad(subscription));
  for (const copy of getting.length > 0 && also ? also : []) note(copy, cursor, getting);
  return getting;
}

/** Whether a subscription has got an earlier copy. */
function hadIn(
  { channel, ...position }: EventCopy,
  { reader }: Cursor,
  subscription: StreamSubscription,
  published: 'lately' | 'once',
): boolean {
  const other = reader.position.of(channel);
  const found = other?.handedOn(position, published);
  if (!other || !found || isJoined(reader)) return found !== undefined;
  if (subscription.since === 'later' || !other.subscriptions.includes(subscription)) return false;
  // A filter may look at the channel, and so have hidden that copy.
  const { wants } = subscription;
  return !wants || (found.entry !== undefined && wants(found.entry, other.channel));
}

/** Whether the client joins channels: each then has a subscription of its own, and is streamed whole. */
const isJoined = ({ position }: StreamReader): boolean => position.channels === 'joined';

/** Notes that an earlier copy is to be hidden when its cursor comes to it. */
function note(
  { channel, ...position }: EventCopy,
  { reader }: Cursor,
  got: readonly StreamSubscription[],
): void {
  const other = reader.position.of(channel);
  if (!other || other.isEnded || other.isPast(position)) return;
  const ahead = (reader.copiesAhead ??= new Map<string, readonly StreamSubscription[]>());
  ahead.set(position.mark, got);
  const [oldest] = ahead.keys();
  if (ahead.size > MAX_AHEAD && oldest !== undefined) ahead.delete(oldest);
}

function forget({ reader }: Cursor, mark: string): void {
  reader.copiesAhead?.delete(mark);
  if (reader.copiesAhead?.size === 0) reader.copiesAhead = undefined;
}
