import { WINDOW } from '../../log/backplane.js';
import { newMark } from '../common/mark.js';
import { isSamePosition, type Position } from '../../protocol/position.js';
import { channelCompleted, notSent, type BackplaneCall } from '../../sse.errors.js';
import type { ChannelSettings } from '../../sse.settings.js';
import { encodeEvent } from '../common/event-text.js';
import type { Notice, Publication } from '../common/remote-logs.js';
import { ConcurrencyLimit } from '../common/tasks.js';
import { insist, stateOf, type ChannelState } from './channel-log.js';
import { isNoAnswer, isNotTaken, NotTaken, publishFailed } from './errors.js';
import { beginAt, decodeMessage, encodeMessage, newMessage, tokenOf, type StoredMessage } from './layout.js';
import type { NatsStore } from './nats-store.js';
import { Receiving } from './receiving.js';
import { Trim } from './trim.js';

/** The log that this process publishes to. */
interface Active {
  /** As `after` of a message. */
  readonly after: Position | undefined;
  known: Position | undefined;
  /** The time of the last publication, by `performance.now()`. */
  usedAt: number;
}

/**
 * The changes that this process makes to one channel, in the order of the calls, and its notices.
 *
 *                append, alone, as a `next`
 *   not active ─────────────────────────────▶ active (Active): append as an `event`, without waiting
 *       ▲                                       │
 *       └───────────────────────────────────────┘
 *         quiet for a while (recordHead), the log was ended, or the streams may be others (forget)
 *
 * A publication that is alone is a step: it begins when everything before it was answered, and keeps those after it
 * waiting until it is answered. The server checks that it follows directly on the newest event known here, and the
 * head record is made `active` before. While the channel is active, publications are pipelined and nothing more is
 * checked.
 *
 * A publication that no stream has taken is sent again when the streams are there: see `NotNow`. Until then no step
 * begins, and no publication is stored after one that was sent later: events would change places.
 */
export class NatsChannel {
  readonly token: string;
  readonly receiving = new Receiving();
  #active: Active | undefined;
  #trim = new Trim();
  /** One step after the other. */
  readonly #steps = new ConcurrencyLimit(1);
  readonly #unanswered = new Set<Promise<unknown>>();
  /** The highest number of a publication that was stored. */
  #stored = 0;
  #unsubscribe: (() => void) | undefined;

  constructor(
    readonly name: string,
    private readonly store: NatsStore,
  ) {
    this.token = tokenOf(name);
  }

  /** Whether this object can be forgotten, as all that it knows can be read again. */
  get isIdle(): boolean {
    return this.#steps.isIdle && this.#unanswered.size === 0 && !this.receiving.isFollowed;
  }

  /** Whether the newest position is to be recorded when the channel falls quiet. */
  get isActive(): boolean {
    return this.#active !== undefined;
  }

  /** @param number the place of the publication among all of this process */
  append(publication: Publication, number: number): Promise<Position> {
    const active = this.#recentlyActive();
    if (this.#steps.isIdle && active) return this.#send(publication, number, active);
    const done = this.#steps.run(async () => {
      const known = this.#recentlyActive();
      // Not awaited: the next one is sent at once.
      if (known) return { position: this.#send(publication, number, known) };
      return { position: await this.#sendAlone(publication, number) };
    });
    return done.then(({ position }) => position);
  }

  /** Ends the log, and answers with its head. */
  complete({ ttl }: ChannelSettings): Promise<Position> {
    const { store } = this;
    /** The end that an earlier attempt has published: an attempt after it publishes no second one. */
    let made: Position | undefined;
    return this.#step(async (before) => {
      let state = before;
      if (state.kind !== 'completed' && !made) {
        const { after, newest } = state;
        const end = newMessage('end', store.now(), { after, text: String(store.now() + ttl) });
        const options = { expected: newest.end };
        const { seq } = await store.log.publish(store.names.end(this.token), encodeMessage(end), options);
        made = { offset: seq, mark: end.mark };
        this.#active = undefined;
        state = await stateOf(store, this.token);
      }
      // The ttl of the end that was made is over already.
      if (state.kind !== 'completed') return beginAt(made as Position);
      const { head, end, record, newest } = state;
      if (record?.kind !== 'completed' || record.end.offset < end.end.offset)
        await store.replaceRecord(this.token, { ...end, kind: 'completed', head }, newest.record);
      return head;
    });
  }

  /** Deletes all events, and answers with the newest of them; undefined if the channel is absent. */
  purge(): Promise<Position | undefined> {
    const { store } = this;
    return this.#step(async ({ head, after, isEmpty, newest }) => {
      if (isEmpty || !head) return head;
      const purge = newMessage('purge', store.now(), { after, known: head });
      const subject = store.names.event(this.token);
      await store.log.publish(subject, encodeMessage(purge), { expected: newest.event });
      await store.log.purge(subject, head.offset);
      return head;
    });
  }

  /**
   * Each followed channel has a core subscription of its own, so that an instance is sent what its clients listen to,
   * and not all that anybody publishes. On the server a subscription costs an entry in a tree. Nothing is lost between
   * it and the first read: both go over one connection, so the server knows of the subscription when it reads.
   */
  follow(notify: (notice: Notice) => void): void {
    this.unfollow();
    const { connection, names } = this.store;
    this.receiving.follow(notify);
    this.#unsubscribe = connection.subscribe(names.liveEvent(this.token), (message) =>
      this.receiving.received(message),
    );
  }

  unfollow(): void {
    this.#unsubscribe?.();
    this.#unsubscribe = undefined;
    this.receiving.unfollow();
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
  async recordHead(now: number): Promise<void> {
    const { store } = this;
    const { quietAfter } = store.settings;
    if (!this.#active || now - this.#active.usedAt < quietAfter || !this.#steps.isIdle) return;
    this.#active = undefined;
    await this.#steps.run(async () => {
      const { kind, head, after, record, newest } = await stateOf(store, this.token);
      if (kind !== 'open' || record?.kind !== 'active') return;
      const event = await store.log.newest(store.names.event(this.token));
      if (event?.seq !== newest.event || store.now() - event.time < quietAfter) return;
      await store.replaceRecord(this.token, { kind: 'quiet', after, head }, newest.record);
    });
  }

  /** Other processes take the channel for quiet after `quietAfter`: publications go on unchecked well before. */
  #recentlyActive(): Active | undefined {
    const { isThere, settings } = this.store;
    const active = isThere ? this.#active : undefined;
    return active && performance.now() - active.usedAt < settings.quietAfter / 2 ? active : undefined;
  }

  async #send(publication: Publication, number: number, active: Active): Promise<Position> {
    active.usedAt = performance.now();
    const answer = this.#publish('event', publication, number, active);
    this.#unanswered.add(answer);
    try {
      return await answer;
    } catch (error) {
      if (isNotTaken(error)) this.store.lookAgain();
      throw error;
    } finally {
      this.#unanswered.delete(answer);
    }
  }

  #sendAlone(publication: Publication, number: number): Promise<Position> {
    return this.#alone('publish', async ({ kind, after, head, newest, record }) => {
      if (kind === 'completed') throw channelCompleted(this.name);
      if (record?.kind !== 'active' || !isSamePosition(record.after, after))
        await this.store.replaceRecord(this.token, { kind: 'active', after }, newest.record);
      const active: Active = { after, known: head, usedAt: performance.now() };
      const position = await this.#publish('next', publication, number, active, newest.event);
      this.#active = active;
      // Deletes the rest of the log before this one.
      if (kind === 'absent' && newest.event > 0) this.#delete(newest.event);
      return position;
    });
  }

  async #publish(
    kind: 'event' | 'next',
    { event, mark, publishId, settings }: Publication,
    number: number,
    active: Active,
    expected?: number,
  ): Promise<Position> {
    if (number < this.#stored)
      throw notSent('publish', 'NATS has not taken the event, but one that was published later.');
    const { store } = this;
    const subject = store.names.event(this.token);
    const { after, known } = active;
    const message = newMessage(kind, store.now(), { after, known, mark, text: encodeEvent(event) });
    // A publish id counts for its channel alone.
    const id = publishId === undefined ? undefined : `${subject} ${encodeURIComponent(publishId)}`;
    const stored = store.log.publish(subject, encodeMessage(message), { publishId: id, expected });
    const ack = await stored.catch(publishFailed);
    this.#stored = Math.max(this.#stored, number);
    const position = { offset: ack.seq, mark: ack.duplicate ? await this.#markAt(ack.seq) : mark };
    if (this.receiving.isTooLate({ ...position, after })) throw channelCompleted(this.name);
    if (ack.duplicate) return position;
    // A sequence that was given away twice: the stream is another.
    if (known && ack.seq <= known.offset) store.lookAgain();
    if (ack.seq > (active.known?.offset ?? 0)) active.known = position;
    const deletable = this.#trim.appended(settings.history ?? WINDOW, ack.seq, message.at, event.bytes);
    if (deletable !== undefined) this.#delete(deletable);
    return position;
  }

  /** The mark of an event that an earlier attempt has stored. If it was deleted, no log holds its position. */
  async #markAt(seq: number): Promise<string> {
    const stored = await this.store.log.message(seq);
    return (stored && decodeMessage(stored)?.mark) ?? newMark();
  }

  #delete(upTo: number): void {
    const { log, names } = this.store;
    log.purge(names.event(this.token), upTo).catch(() => undefined);
  }

  #step<T>(change: (state: ChannelState) => Promise<T>): Promise<T> {
    return this.#steps.run(() => this.#alone('other', change));
  }

  /** A change that begins when everything before it was answered, and is done again if another process was faster. */
  async #alone<T>(call: BackplaneCall, change: (state: ChannelState) => Promise<T>): Promise<T> {
    const { store } = this;
    await Promise.allSettled(this.#unanswered);
    if (!store.isThere) throw new NotTaken('what came before was not taken');
    try {
      return await insist(call, this.token, async () => change(await stateOf(store, this.token)));
    } catch (error) {
      if (isNotTaken(error) || isNoAnswer(error)) store.lookAgain();
      throw error;
    }
  }
}
