import { Logger } from '@nestjs/common';
import { EventLog } from '../../log/event-log.js';
import { isSamePosition, type Position } from '../../protocol/position.js';
import { notSent, type SseError } from '../../sse.errors.js';
import type { HistoryOptions } from '../../sse.options.js';
import { decodeEvent } from '../common/event-text.js';
import type { KeptRecord } from './head-record.js';
import { beginAt, decodeMessage, later, positionOf, type Kept } from './message.js';
import type { NatsStore } from './nats-store.js';

/** Tries to read a log while it is being cut. */
const ATTEMPTS = 20;

const UNLIMITED: Required<HistoryOptions> = { count: Infinity, bytes: Infinity, age: Infinity };

/** How a channel stands, and what must still be so when something is done to it. */
export interface Standing {
  /** There is no log, there is one, or one that is completed. */
  readonly kind: 'absent' | 'open' | 'completed';
  /** What ended the log before this one, or the last log of a channel that is not there. */
  readonly after: Position | undefined;
  /** The newest event, also if it is let go of; undefined of a channel that is not there. */
  readonly head: Position | undefined;
  /** The sequences of the newest messages on the channel's subjects, or 0. */
  readonly newest: { readonly event: number; readonly end: number };
  /** Whether the newest message is a purge, so that there is nothing to purge. */
  readonly isEmpty: boolean;
  readonly record: KeptRecord;
}

/** What ended a log, and until when that is remembered. */
interface End {
  readonly at: Position;
  readonly after: Position | undefined;
  readonly until: number;
}

/**
 * Finds out how a channel stands. A log is named by the message that ended the one before it, and what its events say
 * of that tells which are of it: a publisher that has not heard of an end yet may store some after it.
 *
 * The stream of the heads is believed where that of the logs has nothing left to say.
 */
export async function standingOf(store: NatsStore, token: string): Promise<Standing> {
  for (let i = 0; i < ATTEMPTS; i++) {
    const standing = await tryStandingOf(store, token);
    if (standing) return standing;
  }
  throw tooFast();
}

/** @returns undefined if the log was cut while it was read */
async function tryStandingOf(store: NatsStore, token: string): Promise<Standing | undefined> {
  const { log, names } = store;
  const [newestEvent, newestEnd, kept] = await Promise.all([
    log.newest(names.event(token)),
    log.newest(names.end(token)),
    store.record(token),
  ]);
  const { record } = kept;
  const completed = record?.kind === 'completed' ? record : undefined;
  let newest = newestEvent && decodeMessage(newestEvent.seq, newestEvent.text);
  const ending = newestEnd && endOf(decodeMessage(newestEnd.seq, newestEnd.text));
  const after = [newest?.after, record?.after, completed?.end].reduce(later, ending?.at);
  const recorded = completed && { at: completed.end, after: completed.after, until: completed.until };
  const end: End | undefined = [ending, recorded].find((one) => one && isSamePosition(one.at, after));
  // As a rule the newest message tells. It does not if it came too late, or if somebody else wrote it.
  const tells =
    !newestEvent || (newest && (isSamePosition(newest.after, after) || (end && isOfEnded(newest, end))));
  if (!tells) {
    const messages = await read(store, token, 0, newestEvent.seq);
    if (!messages) return undefined;
    newest =
      messages.findLast((one) => isSamePosition(one.after, after)) ??
      messages.findLast((one) => end && isOfEnded(one, end));
  }
  const common = {
    newest: { event: newestEvent?.seq ?? 0, end: newestEnd?.seq ?? 0 },
    isEmpty: newest === undefined || newest.kind === 'purge',
    record: kept,
  };
  if (newest && isSamePosition(newest.after, after))
    return { kind: 'open', after, head: headOf(newest), ...common };
  if (end && store.now() < end.until) {
    const known = completed && isSamePosition(completed.end, end.at) ? completed.head : undefined;
    const head = known ?? (newest ? headOf(newest) : beginAt(end.at));
    return { kind: 'completed', after: end.after, head, ...common };
  }
  if (record?.kind === 'quiet' && isSamePosition(record.after, after))
    return { kind: 'open', after, head: record.head, ...common };
  return { kind: 'absent', after, head: undefined, ...common };
}

/** What is kept of a channel's log. */
export interface KeptLog {
  readonly standing: Standing;
  /** Without limits; undefined of a channel that is not there. */
  readonly log: EventLog | undefined;
}

/**
 * Reads a log: from an event on if it is there, else all of it.
 *
 * The oldest message that is kept of a log follows on nothing that is known, unless it says so itself: so it is the
 * last one let go of. What is deleted while it is read may be missing in its midst; it is read again then.
 */
export async function readLog(store: NatsStore, token: string, known?: Position): Promise<KeptLog> {
  for (let i = 0; i < ATTEMPTS; i++) {
    const standing = await standingOf(store, token);
    if (standing.kind === 'absent') return { standing, log: undefined };
    const head = standing.head as Position;
    if (standing.newest.event === 0 || (known && isSamePosition(known, head)))
      return { standing, log: logOf(standing, head, []) };
    const from = known && known.offset < head.offset ? known : undefined;
    const messages = await read(store, token, from?.offset ?? 0, standing.newest.event);
    if (!messages) continue;
    const [oldest] = messages;
    // Otherwise it was completed meanwhile, and something may have come too late.
    const end = await store.log.newest(store.names.end(token));
    if ((end?.seq ?? 0) !== standing.newest.end) continue;
    if (from && !isSamePosition(oldest, from)) {
      known = undefined;
      continue;
    }
    const mine = messages.filter((one) => isOf(one, standing));
    return { standing, log: logOf(standing, from ?? floorOf(mine) ?? head, mine) };
  }
  throw tooFast();
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

/** @returns undefined if not all came up to a message that was there */
async function read(
  store: NatsStore,
  token: string,
  from: number,
  upTo: number,
): Promise<Kept[] | undefined> {
  const subject = store.names.event(token);
  const messages: Kept[] = [];
  const pulled = await store.log.read(subject, from);
  if (!pulled || (pulled.at(-1)?.seq ?? 0) < upTo) return undefined;
  for (const { seq, text } of pulled) {
    const message = decodeMessage(seq, text);
    if (message) messages.push(message);
    else warnOf(seq, subject);
  }
  return messages;
}

const tooFast = (): SseError => notSent('other', 'The channel changes too fast to be read.');

/** What is let go of, as far as is known, before the messages of a log. */
function floorOf(messages: readonly Kept[]): Position | undefined {
  const [oldest] = messages;
  if (oldest?.kind !== 'next') return oldest && headOf(oldest);
  return oldest.known ?? beginAt(oldest);
}

function logOf({ kind }: Standing, begin: Position, messages: readonly Kept[]): EventLog {
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

/** Whether a message is one of the log that is there. */
const isOf = ({ kind, after, offset }: Kept, standing: Standing): boolean =>
  isSamePosition(after, standing.after) &&
  (standing.kind === 'open' || kind === 'purge' || offset < standing.newest.end || standing.newest.end === 0);

const isOfEnded = ({ kind, after, offset }: Kept, end: End): boolean =>
  isSamePosition(after, end.after) && (kind === 'purge' || offset < end.at.offset);

/** The newest event after a message of a log. */
const headOf = (message: Kept): Position =>
  message.kind === 'purge' ? (message.known as Position) : positionOf(message);

const endOf = (message: Kept | undefined): End | undefined =>
  message?.kind === 'end'
    ? { at: positionOf(message), after: message.after, until: Number(message.text) }
    : undefined;

export function warnOf(seq: number, subject: string): void {
  new Logger('SseHub').warn(
    `Message ${seq} on the subject "${subject}" was not written by this package. It is skipped.`,
  );
}
