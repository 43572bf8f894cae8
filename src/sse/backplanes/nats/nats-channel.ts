import type { PubAck } from '@nats-io/jetstream';
import { WINDOW } from '../../log/backplane.js';
import { newMark } from '../../log/mark.js';
import { isSamePosition, type Position } from '../../protocol/position.js';
import { channelCompleted } from '../../sse.errors.js';
import type { HistoryOptions } from '../../sse.options.js';
import type { ChannelSettings } from '../../sse.settings.js';
import { encodeEvent } from '../common/event-text.js';
import type { Publication } from '../common/remote-logs.js';
import { ConcurrencyLimit } from '../common/tasks.js';
import { insist, stateOf, type ChannelState } from './channel-log.js';
import { callFailure, isConflict, isNoAnswer, isNotTaken, noStream, publishFailure } from './errors.js';
import {
  beginAt,
  decodeMessage,
  encodeMessage,
  newMessage,
  positionOf,
  tokenOf,
  type StoredMessage,
} from './layout.js';
import type { NatsStore } from './nats-store.js';
import { Receiving } from './receiving.js';

/** Things that all channels share. */
export interface ChannelHost {
  readonly store: NatsStore;
  /** Milliseconds without an event after which a channel is quiet. */
  readonly quietAfter: number;
  /** Nobody answers for the stream. Resolves when somebody may again; rejects when the time is over, or nobody waits. */
  whenThere(until: number): Promise<void>;
  /** The stream is another one, as it has given a sequence away twice. */
  isAnother(): void;
}

/** The log that this process publishes to. */
interface Active {
  /** As `after` of a message. */
  readonly after: Position | undefined;
  known: Position | undefined;
  /** The time of the last publication, by `performance.now()`. */
  usedAt: number;
}

/** A publication, and its place among those of this process on the channel. */
interface Sending {
  readonly publication: Publication;
  readonly number: number;
  /** The time from which on it must not be stored, by `performance.now()`. */
  readonly until: number;
}

/**
 * The changes that this process makes to one channel, in the order of the calls.
 *
 *                 append: alone, as a `next`                       append: as an `event`, without waiting
 *   not active ─────────────────────────────────▶ active (Active) ────────────────────────────────────────▶ active
 *       ▲                                           │
 *       └───── quiet for a while (rest), ended, completed, not taken, forget ◀──────────────────────────────┘
 *
 * A publication that is alone begins when everything before it was answered, and keeps those after it waiting until it
 * is answered: the server checks that it follows directly on the newest event known here, and the head record is made
 * `active` before. While the channel is active, publications are pipelined and nothing more is checked.
 */
export class NatsChannel {
  readonly token: string;
  readonly receiving = new Receiving();
  #active: Active | undefined;
  #trim = new Trim();
  /** One step after the other. */
  readonly #steps = new ConcurrencyLimit(1);
  readonly #unanswered = new Set<Promise<unknown>>();
  #sent = 0;
  /** The highest number of a publication that was stored. */
  #stored = 0;
  /** Publications that no stream has taken, each to be sent once more. */
  #again: (() => Promise<void>)[] = [];

  constructor(
    readonly name: string,
    private readonly host: ChannelHost,
  ) {
    this.token = tokenOf(name);
  }

  /** It can be forgotten: whatever is needed of it can be read again. */
  get isIdle(): boolean {
    return this.#steps.isIdle && this.#unanswered.size === 0 && !this.receiving.isFollowed;
  }

  /** Its newest position is to be recorded when it falls quiet. */
  get isActive(): boolean {
    return this.#active !== undefined;
  }

  append(publication: Publication, until: number): Promise<Position> {
    const sending = { publication, number: ++this.#sent, until };
    const active = this.#recentlyActive();
    if (this.#steps.isIdle && active) return this.#send(sending, active);
    const done = this.#steps.run(async () => {
      const known = this.#recentlyActive();
      // Not awaited: the next one is sent at once.
      if (known) return { position: this.#send(sending, known) };
      await Promise.allSettled(this.#unanswered);
      return { position: Promise.resolve(await this.#sendAlone(sending)) };
    });
    return done.then(({ position }) => position);
  }

  /** Ends the log, and answers with its head. */
  complete({ ttl }: ChannelSettings): Promise<Position> {
    const { store } = this.host;
    let made: Position | undefined;
    return this.#alone<Position>(async (state) => {
      const { kind, head, after, newest, record } = state;
      if (kind !== 'completed') {
        // The end was made, and its time is over already.
        if (made && isSamePosition(made, after)) return beginAt(made);
        const end = newMessage('end', store.now(), { after, text: String(store.now() + ttl) });
        const options = { expected: newest.end };
        const { seq } = await store.log.publish(store.names.end(this.token), encodeMessage(end), options);
        made = { offset: seq, mark: end.mark };
        this.#active = undefined;
        return undefined;
      }
      const isRecorded = record.record?.kind === 'completed' && record.record.end.offset >= newest.end;
      return isRecorded || (await this.#recordEnd(state)) ? head : undefined;
    });
  }

  /** Deletes all events, and answers with the newest of them; undefined if the channel is absent. */
  async purge(): Promise<Position | undefined> {
    const { store } = this.host;
    const purged = await this.#alone(async ({ head, after, isEmpty, newest }) => {
      if (isEmpty || !head) return { head };
      const purge = newMessage('purge', store.now(), { after, known: head });
      const subject = store.names.event(this.token);
      await store.log.publish(subject, encodeMessage(purge), { expected: newest.event });
      await store.log.purge(subject, head.offset);
      return { head };
    });
    return purged.head;
  }

  /** A log of the channel was ended. */
  ended(end: StoredMessage): void {
    this.#active = undefined;
    this.receiving.ended(end);
  }

  /** Resolves when everything that was done to it before the call has been answered. */
  async settled(): Promise<void> {
    if (!this.#steps.isIdle) await this.#steps.run(() => Promise.resolve());
    await Promise.allSettled(this.#unanswered);
  }

  /** The streams may be others now. */
  forget(): void {
    this.#active = undefined;
    this.receiving.forget();
    this.#trim = new Trim();
  }

  /**
   * Records the position of the newest event, if the channel has fallen quiet. Other processes may do so too, or
   * publish: the record is of the one that replaces it first.
   */
  async rest(now: number): Promise<void> {
    const { store, quietAfter } = this.host;
    if (!this.#active || now - this.#active.usedAt < quietAfter || !this.#steps.isIdle) return;
    this.#active = undefined;
    await this.#steps.run(async () => {
      const state = await stateOf(store, this.token);
      const { kind, head, after, record } = state;
      if (kind !== 'open' || record.record?.kind !== 'active') return;
      const newest = await store.log.newest(store.names.event(this.token));
      if (newest?.seq !== state.newest.event || store.now() - newest.time < quietAfter) return;
      await store.replaceRecord(this.token, { kind: 'quiet', after, head }, record);
    });
  }

  /** Other processes take the channel for quiet after `quietAfter`: publications go on unchecked well before. */
  #recentlyActive(): Active | undefined {
    const active = this.#active;
    return active && performance.now() - active.usedAt < this.host.quietAfter / 2 ? active : undefined;
  }

  async #send(sending: Sending, active: Active): Promise<Position> {
    active.usedAt = performance.now();
    const answer = this.#publish('event', sending, active);
    this.#unanswered.add(answer);
    try {
      return await answer;
    } catch (error) {
      if (isNotTaken(error)) return await this.#sendAgain(sending);
      throw publishFailure(error);
    } finally {
      this.#unanswered.delete(answer);
    }
  }

  /** Unless something was stored that was sent later: then it would change places. */
  #sendAgain(sending: Sending): Promise<Position> {
    this.#active = undefined;
    return new Promise((resolve, reject) => {
      this.#again.push(async () => {
        if (sending.number < this.#stored) reject(noStream('at present'));
        else await this.#sendAlone(sending).then(resolve, reject);
      });
      if (this.#again.length > 1) return;
      void this.#steps.run(async () => {
        await Promise.allSettled(this.#unanswered);
        // In the order in which they failed, which is that in which they were sent.
        for (const send of this.#again.splice(0)) await send();
      });
    });
  }

  async #sendAlone(sending: Sending): Promise<Position> {
    return insist('publish', this.token, async () => {
      const { kind, after, head, newest } = await this.#opened(sending);
      const active: Active = { after, known: head, usedAt: performance.now() };
      try {
        const position = await this.#publish('next', sending, active, newest.event);
        this.#active = active;
        // Deletes the rest of the log before this one.
        if (kind === 'absent' && newest.event > 0) this.#delete(newest.event);
        return position;
      } catch (error) {
        if (isConflict(error)) return undefined;
        if (!isNotTaken(error)) throw publishFailure(error);
        await this.host.whenThere(sending.until);
        return undefined;
      }
    });
  }

  /** Makes the head record `active`, and answers with the state before. */
  #opened({ until }: Sending): Promise<ChannelState> {
    const { store } = this.host;
    return insist('publish', this.token, async () => {
      try {
        const state = await stateOf(store, this.token);
        const { kind, after, record } = state;
        if (kind === 'completed') throw channelCompleted(this.name);
        if (record.record?.kind !== 'active' || !isSamePosition(record.record.after, after))
          await store.replaceRecord(this.token, { kind: 'active', after }, record);
        return state;
      } catch (error) {
        if (isConflict(error)) return undefined;
        if (!isNotTaken(error) && !isNoAnswer(error)) throw callFailure('publish', error);
        await this.host.whenThere(until);
        return undefined;
      }
    });
  }

  async #publish(
    kind: 'event' | 'next',
    { publication, number }: Sending,
    active: Active,
    expected?: number,
  ): Promise<Position> {
    const { event, mark, publishId, settings } = publication;
    const { store } = this.host;
    const subject = store.names.event(this.token);
    const { after, known } = active;
    const message = newMessage(kind, store.now(), { after, known, mark, text: encodeEvent(event) });
    const ack = await store.log.publish(subject, encodeMessage(message), {
      // A publish id counts for its channel alone.
      publishId: publishId === undefined ? undefined : `${subject} ${encodeURIComponent(publishId)}`,
      expected,
    });
    this.#stored = Math.max(this.#stored, number);
    const position = { offset: ack.seq, mark: ack.duplicate ? await this.#markAt(ack) : mark };
    if (this.receiving.isTooLate({ ...position, after })) throw channelCompleted(this.name);
    if (ack.duplicate) return position;
    if (known && ack.seq <= known.offset) this.host.isAnother();
    if (ack.seq > (active.known?.offset ?? 0)) active.known = position;
    const deletable = this.#trim.appended(settings.history ?? WINDOW, ack.seq, message.at, event.bytes);
    if (deletable !== undefined) this.#delete(deletable);
    return position;
  }

  /** The mark of an event that an earlier attempt has stored. If it was deleted, no log holds its position. */
  async #markAt({ seq }: PubAck): Promise<string> {
    const stored = await this.host.store.log.message(seq);
    return (stored && decodeMessage(stored)?.mark) ?? newMark();
  }

  /** @returns false if the end is another by now */
  async #recordEnd({ after, head, newest, record }: ChannelState): Promise<boolean> {
    const { store } = this.host;
    const stored = await store.log.newest(store.names.end(this.token));
    const end = stored?.seq === newest.end ? decodeMessage(stored) : undefined;
    if (!end) return false;
    const until = Number(end.text);
    const completed = {
      kind: 'completed',
      after,
      head: head as Position,
      end: positionOf(end),
      until,
    } as const;
    await store.replaceRecord(this.token, completed, record);
    return true;
  }

  #delete(upTo: number): void {
    const { log, names } = this.host.store;
    log.purge(names.event(this.token), upTo).catch(() => undefined);
  }

  /** A step that begins when everything before it was answered, and is done again if another process was faster. */
  #alone<T>(step: (state: ChannelState) => Promise<T | undefined>): Promise<T> {
    return this.#steps.run(async () => {
      await Promise.allSettled(this.#unanswered);
      return insist('other', this.token, async () => step(await stateOf(this.host.store, this.token)));
    });
  }
}

/** The least of a channel that is appended before something of it is deleted. */
const LEAST = { count: 500, bytes: 256 * 1024, age: 1_000 };

interface Appended {
  readonly offset: number;
  readonly at: number;
}

/**
 * Finds out how far a channel's events can be deleted on the server, from the appends of this process alone: once these
 * fill the history, nothing before them is needed but one event, which the oldest follows on. So the server keeps at
 * most twice a channel's history, and as much again for each further process that appends to it.
 */
class Trim {
  #newest: Appended | undefined;
  /** The one before those that may fill the history. */
  #before: Appended | undefined;
  #count = 0;
  #bytes = 0;

  /**
   * Takes in an event that was stored.
   *
   * @returns the offset up to which events can be deleted now, once in a while
   */
  appended(limits: Required<HistoryOptions>, offset: number, at: number, bytes: number): number | undefined {
    const previous = this.#newest;
    this.#newest = { offset, at };
    if (!previous) return undefined;
    this.#before ??= previous;
    this.#count++;
    this.#bytes += bytes;
    const isFull =
      this.#count >= Math.max(limits.count, LEAST.count) ||
      this.#bytes >= Math.max(limits.bytes, LEAST.bytes) ||
      at - this.#before.at >= Math.max(limits.age, LEAST.age);
    if (!isFull) return undefined;
    const { offset: kept } = this.#before;
    this.#before = undefined;
    this.#count = this.#bytes = 0;
    return kept - 1;
  }
}
