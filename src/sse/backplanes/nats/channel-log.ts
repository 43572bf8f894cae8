import { Logger } from '@nestjs/common';
import { EventLog } from '../../log/event-log.js';
import { isSamePosition, type Position } from '../../protocol/position.js';
import { notSent, type BackplaneCall } from '../../sse.errors.js';
import type { HistoryOptions } from '../../sse.options.js';
import { decodeEvent } from '../common/event-text.js';
import { Changed, isConflict } from './errors.js';
import {
  beginAt,
  channelOf,
  decodeMessage,
  decodeRecord,
  positionOf,
  type End,
  type HeadRecord,
  type StoredMessage,
} from './layout.js';
import type { StreamMessage } from './nats-stream.js';
import type { NatsStore } from './nats-store.js';

/**
 * Reads the log of one channel, as `index.ts` describes it.
 *
 * A log is identified by the message that ended the one before it (`after`). A publisher that does not know of an end
 * yet may store events after it: they name the ended log, and belong to none. The heads stream is believed where the
 * log stream has nothing of the channel any more.
 */

/** Attempts at something that other processes may interfere with. */
const ATTEMPTS = 20;

const UNLIMITED: Required<HistoryOptions> = { count: Infinity, bytes: Infinity, age: Infinity };

interface Common {
  /** The end of the log before this one, or of the last log of an absent channel. */
  readonly after: Position | undefined;
  /** The sequences of the newest messages on the channel's subjects, or 0. A conflict is any later one. */
  readonly newest: { readonly event: number; readonly end: number; readonly record: number };
  /** There is nothing to purge: the newest message is a purge. */
  readonly isEmpty: boolean;
  readonly record: HeadRecord | undefined;
}

/** The state of a channel, and of its newest event, which may be deleted already. */
export type ChannelState =
  | (Common & { readonly kind: 'absent'; readonly head: undefined })
  | (Common & { readonly kind: 'open'; readonly head: Position })
  | (Common & { readonly kind: 'completed'; readonly head: Position; readonly end: End });

export interface KeptLog {
  readonly state: ChannelState;
  /** Without limits; undefined if the channel is absent. */
  readonly log: EventLog | undefined;
}

/** Tries again for as long as another process is faster, which shows as a conflict. */
export async function insist<T>(call: BackplaneCall, token: string, attempt: () => Promise<T>): Promise<T> {
  for (let i = 0; i < ATTEMPTS; i++) {
    try {
      return await attempt();
    } catch (error) {
      if (!isConflict(error)) throw error;
    }
  }
  throw notSent(call, `The channel "${channelOf(token)}" changes too fast.`);
}

/** Looks at a channel. @throws Changed if its log was cut meanwhile */
export async function stateOf(store: NatsStore, token: string): Promise<ChannelState> {
  const { log, heads, names } = store;
  const [newestEvent, newestEnd, newestRecord] = await Promise.all([
    log.newest(names.event(token)),
    log.newest(names.end(token)),
    heads.newest(names.head(token)),
  ]);
  const record = newestRecord && decodeRecord(newestRecord.text);
  const completed = record?.kind === 'completed' ? record : undefined;
  const ending = newestEnd && endOf(decodeMessage(newestEnd));
  let newest = newestEvent && decodeMessage(newestEvent);
  // The newest end of a log that anything tells of: the events, the record, or the end itself.
  const after = [newest?.after, record?.after, completed?.end].reduce(later, ending?.end);
  // All that is known of that end. The record outlives the message.
  const end = [completed, ending].find((one) => one && isSamePosition(one.end, after));
  const isOfOpen = (one: StoredMessage): boolean => isOf(one, after);
  const isOfEnded = (one: StoredMessage): boolean => end !== undefined && isOf(one, end.after, end);
  if (newestEvent && !(newest && (isOfOpen(newest) || isOfEnded(newest)))) {
    // The newest message came too late, or is not of this package.
    const messages = await read(store, token, 0, newestEvent.seq);
    newest = messages.findLast(isOfOpen) ?? messages.findLast(isOfEnded);
  }
  const common = {
    newest: { event: seqOf(newestEvent), end: seqOf(newestEnd), record: seqOf(newestRecord) },
    isEmpty: newest === undefined || newest.kind === 'purge',
    record,
  };
  if (newest && isOfOpen(newest)) return { kind: 'open', after, head: headOf(newest), ...common };
  if (end && store.now() < end.until) {
    const head = end === completed ? completed.head : newest ? headOf(newest) : beginAt(end.end);
    return { kind: 'completed', after: end.after, head, end, ...common };
  }
  if (record?.kind === 'quiet' && isSamePosition(record.after, after))
    return { kind: 'open', after, head: record.head, ...common };
  return { kind: 'absent', after, head: undefined, ...common };
}

/**
 * Reads a log: from an event on if that is there, else all of it.
 *
 * It is not known what the oldest message of a log follows on, unless it says so itself. So it counts as the last one
 * that was deleted. A deletion during the read may leave a hole; then the log is read again.
 */
export function readLog(store: NatsStore, token: string, known?: Position): Promise<KeptLog> {
  return insist('other', token, async () => {
    const state = await stateOf(store, token);
    const { head, newest } = state;
    if (!head) return { state, log: undefined };
    if (newest.event === 0 || isSamePosition(known, head)) return { state, log: logOf(state, head, []) };
    let from = known && known.offset < head.offset ? known : undefined;
    let messages = await read(store, token, from?.offset ?? 0, newest.event);
    if (from && !isSamePosition(messages[0], from)) {
      // It was deleted, or is of another stream.
      from = undefined;
      messages = await read(store, token, 0, newest.event);
    }
    const end = await store.log.newest(store.names.end(token));
    if (seqOf(end) !== newest.end)
      throw new Changed('the log was completed, and some of the messages may have come too late');
    const ending = state.kind === 'completed' ? state.end : undefined;
    const own = messages.filter((one) => isOf(one, state.after, ending));
    return { state, log: logOf(state, from ?? floorOf(own) ?? head, own) };
  });
}

/** The newest of a log, as many as there is room for. */
export function limited(whole: EventLog, limits: Required<HistoryOptions>, now: number): EventLog {
  const log = new EventLog(whole.floor, limits);
  for (const entry of whole.entriesAfter(whole.floor.offset)) log.push(entry);
  log.clearedAt = whole.clearedAt;
  log.completed = whole.completed;
  log.expire(now);
  return log;
}

async function read(store: NatsStore, token: string, from: number, upTo: number): Promise<StoredMessage[]> {
  const subject = store.names.event(token);
  const stored = await store.log.read(subject, from, upTo);
  return stored.flatMap((one) => {
    const message = decodeMessage(one);
    if (!message) warnOf(one.seq, subject);
    return message ?? [];
  });
}

/** The last event that was deleted, as far as is known, before the messages of a log. */
function floorOf([oldest]: readonly StoredMessage[]): Position | undefined {
  if (oldest?.kind !== 'next') return oldest && headOf(oldest);
  return oldest.known ?? beginAt(oldest);
}

function logOf({ kind }: ChannelState, begin: Position, messages: readonly StoredMessage[]): EventLog {
  const purge = messages.findLast((one) => one.kind === 'purge');
  const floor = purge ? headOf(purge) : begin;
  const log = new EventLog(floor, UNLIMITED);
  log.clearedAt = purge ? floor.offset : 0;
  for (const { offset, mark, at, text, kind } of messages) {
    if (offset <= floor.offset || kind === 'purge') continue;
    const event = decodeEvent(text);
    if (event) log.add({ offset, mark, previous: log.head, at, event });
  }
  log.completed = kind === 'completed';
  return log;
}

/** Whether a message is of the log after an end; what was stored after its own end is of none. */
const isOf = (message: StoredMessage, after: Position | undefined, end?: End): boolean =>
  isSamePosition(message.after, after) &&
  (end === undefined || message.kind === 'purge' || message.offset < end.end.offset);

/** The newest event when a message of a log was stored. */
const headOf = (message: StoredMessage): Position =>
  message.kind === 'purge' ? (message.known as Position) : positionOf(message);

const endOf = (message: StoredMessage | undefined): End | undefined =>
  message?.kind === 'end'
    ? { end: positionOf(message), after: message.after, until: Number(message.text) }
    : undefined;

const seqOf = (message: StreamMessage | undefined): number => message?.seq ?? 0;

function later(one: Position | undefined, other: Position | undefined): Position | undefined {
  if (!one || !other) return one ?? other;
  return other.offset > one.offset ? other : one;
}

export function warnOf(seq: number, subject: string): void {
  new Logger('SseHub').warn(
    `Message ${seq} on the subject "${subject}" was not written by this package. It is skipped.`,
  );
}
