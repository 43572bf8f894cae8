import type { PubAck } from '@nats-io/jetstream';
import { WINDOW } from '../../log/backplane.js';
import { newMark } from '../../log/mark.js';
import { isSamePosition, type Position } from '../../protocol/position.js';
import { channelCompleted, notSent, type SseError } from '../../sse.errors.js';
import type { ChannelSettings } from '../../sse.settings.js';
import { encodeEvent } from '../common/event-text.js';
import type { Publication } from '../common/remote-logs.js';
import { standingOf, type Standing } from './channel-log.js';
import type { HeadRecord } from './head-record.js';
import { Hearing } from './hearing.js';
import { InOrder } from './in-order.js';
import { beginAt, decodeMessage, encodeMessage, positionOf, type Kept, type Message } from './message.js';
import { callFailure, isConflict, isNobodyThere, isUnanswered, publishFailure } from './nats-errors.js';
import type { NatsStore } from './nats-store.js';
import { tokenOf } from './subjects.js';
import { Trim } from './trim.js';

/** Tries to do something that another process may be faster with. */
const ATTEMPTS = 20;

/** What a channel needs of what all have in common. */
export interface ChannelHost {
  readonly store: NatsStore;
  /** Milliseconds without an event after which a channel is quiet. */
  readonly quietAfter: number;
  /** Nobody answers for the stream. Resolves when somebody may again; rejects when the time is over, or nobody waits. */
  whenThere(until: number): Promise<void>;
  /** The stream is another one, as it has given a sequence away twice. */
  isAnother(): void;
}

/** What this process knows of a channel that it publishes to. */
interface Active {
  /** What names the log: see {@link Message.after}. */
  readonly after: Position | undefined;
  known: Position | undefined;
  /** When it last published, by `performance.now()`. */
  usedAt: number;
}

/** What is to be published, and its place among the calls of this process. */
interface Sending {
  readonly publication: Publication;
  readonly number: number;
  /** When it must not be stored any more, by `performance.now()`. */
  readonly until: number;
}

/**
 * One channel, and what this process does to it, in order.
 *
 * The first event that is published after a rest is published alone: the server sees to it that it follows directly
 * on the newest that was known, and the record of the channel's head is taken back before. While this process goes
 * on to publish it need not ask again.
 */
export class NatsChannel {
  readonly token: string;
  readonly hearing = new Hearing();
  #active: Active | undefined;
  #trim = new Trim();
  readonly #order = new InOrder();
  readonly #unanswered = new Set<Promise<unknown>>();
  #sent = 0;
  /** The highest number of what was stored. */
  #stored = 0;
  /** What nobody took. */
  #again: (() => Promise<void>)[] = [];

  constructor(
    readonly name: string,
    private readonly host: ChannelHost,
  ) {
    this.token = tokenOf(name);
  }

  /** Whether it can be forgotten: what is needed of it can be read again. */
  get isIdle(): boolean {
    return this.#order.isIdle && this.#unanswered.size === 0 && !this.hearing.isFollowed;
  }

  /** Whether its newest position is to be kept apart when it falls quiet. */
  get isActive(): boolean {
    return this.#active !== undefined;
  }

  append(publication: Publication, until: number): Promise<Position> {
    const sending = { publication, number: ++this.#sent, until };
    const { quietAfter } = this.host;
    const active = this.#active;
    if (this.#order.isIdle && active && performance.now() - active.usedAt < quietAfter / 2)
      return this.#send(sending, active);
    const done = this.#order.run(async () => {
      const known = this.#active;
      // Not awaited: the next one is sent at once.
      if (known && performance.now() - known.usedAt < quietAfter / 2)
        return { position: this.#send(sending, known) };
      await Promise.allSettled(this.#unanswered);
      return { position: Promise.resolve(await this.#sendAlone(sending)) };
    });
    return done.then(({ position }) => position);
  }

  /** Ends the log, and answers with its head. */
  complete({ ttl }: ChannelSettings): Promise<Position> {
    const { store } = this.host;
    let made: Position | undefined;
    return this.#alone<Position>(async (standing) => {
      const { kind, head, after, newest, record } = standing;
      if (kind !== 'completed') {
        // It was remembered for so short that the time is over.
        if (made && isSamePosition(made, after)) return beginAt(made);
        const end = this.#message('end', { after, text: String(store.now() + ttl) });
        const options = { expected: newest.end };
        const { seq } = await store.log.publish(store.names.end(this.token), encodeMessage(end), options);
        made = { offset: seq, mark: end.mark };
        this.#active = undefined;
        return undefined;
      }
      const isRecorded = record.record?.kind === 'completed' && record.record.end.offset >= newest.end;
      if (!isRecorded) await this.#recordEnd(standing);
      return head;
    });
  }

  /** Lets go of all events, and answers with the newest of them. */
  purge(): Promise<Position | undefined> {
    const { log, names } = this.host.store;
    return this.#alone(async ({ kind, head, after, isEmpty, newest }) => {
      if (kind === 'absent' || isEmpty || !head) return head ?? 'absent';
      const purge = this.#message('purge', { after, known: head });
      const subject = names.event(this.token);
      await log.publish(subject, encodeMessage(purge), { expected: newest.event });
      await log.purge(subject, head.offset);
      return head;
    }).then((head) => (head === 'absent' ? undefined : head));
  }

  /** A log of the channel was ended. */
  ended(end: Kept): void {
    this.#active = undefined;
    this.hearing.ended(end);
  }

  /** Resolves when all that was done to it before the call has been answered. */
  async settled(): Promise<void> {
    if (!this.#order.isIdle) await this.#order.run(() => Promise.resolve());
    await Promise.allSettled(this.#unanswered);
  }

  /** What is known may not be so any more. */
  forget(): void {
    this.#active = undefined;
    this.hearing.forget();
    this.#trim = new Trim();
  }

  /**
   * Keeps the position of the newest event apart, when the channel has fallen quiet. Others may do it too, or
   * publish: whoever replaces the record first, that is so.
   */
  async rest(now: number): Promise<void> {
    const { store, quietAfter } = this.host;
    if (!this.#active || now - this.#active.usedAt < quietAfter || !this.#order.isIdle) return;
    this.#active = undefined;
    await this.#order.run(async () => {
      const standing = await standingOf(store, this.token);
      const { kind, head, after, record } = standing;
      if (kind !== 'open' || !head || record.record?.kind !== 'active') return;
      const newest = await store.log.newest(store.names.event(this.token));
      if (newest?.seq !== standing.newest.event || store.now() - newest.time < quietAfter) return;
      await store.replaceRecord(this.token, { kind: 'quiet', after, head }, record);
    });
  }

  async #send(sending: Sending, active: Active): Promise<Position> {
    active.usedAt = performance.now();
    const answer = this.#publish('event', sending, active);
    this.#unanswered.add(answer);
    try {
      return await answer;
    } catch (error) {
      if (isNobodyThere(error)) return await this.#sendAgain(sending);
      throw publishFailure(error);
    } finally {
      this.#unanswered.delete(answer);
    }
  }

  /** What was sent after it may have come to the stream: only then it cannot be sent again without changing places. */
  #sendAgain(sending: Sending): Promise<Position> {
    this.#active = undefined;
    return new Promise((resolve, reject) => {
      this.#again.push(async () => {
        if (sending.number < this.#stored) reject(notSent('publish', 'NATS had no stream for the event.'));
        else await this.#sendAlone(sending).then(resolve, reject);
      });
      if (this.#again.length > 1) return;
      void this.#order.run(async () => {
        await Promise.allSettled(this.#unanswered);
        // Those that were sent later failed later.
        for (const send of this.#again.splice(0)) await send();
      });
    });
  }

  /** Publishes an event before which nothing is under way, and which the server takes for no other place. */
  async #sendAlone(sending: Sending): Promise<Position> {
    for (let i = 0; i < ATTEMPTS; i++) {
      const standing = await this.#opened(sending);
      const { kind, after, head, newest } = standing;
      const active: Active = { after, known: head, usedAt: performance.now() };
      try {
        const position = await this.#publish('next', sending, active, newest.event);
        this.#active = active;
        // What is left of the log before this one.
        if (kind === 'absent' && newest.event > 0) this.#delete(newest.event);
        return position;
      } catch (error) {
        if (isNobodyThere(error)) await this.host.whenThere(sending.until);
        else if (!isConflict(error)) throw publishFailure(error);
      }
    }
    throw this.#tooFast('publish');
  }

  /** Sees to it that the channel is known to be published to, and finds out how it stands. Can be done again. */
  async #opened({ until }: Sending): Promise<Standing> {
    const { store } = this.host;
    for (let i = 0; i < ATTEMPTS; i++) {
      try {
        const standing = await standingOf(store, this.token);
        const { kind, after, record } = standing;
        if (kind === 'completed') throw this.#completed();
        if (record.record?.kind !== 'active' || !isSamePosition(record.record.after, after))
          await store.replaceRecord(this.token, { kind: 'active', after }, record);
        return standing;
      } catch (error) {
        if (isNobodyThere(error) || isUnanswered(error)) await this.host.whenThere(until);
        else if (!isConflict(error)) throw callFailure('publish', error);
      }
    }
    throw this.#tooFast('publish');
  }

  async #publish(
    kind: 'event' | 'next',
    { publication, number }: Sending,
    active: Active,
    expected?: number,
  ): Promise<Position> {
    const { event, mark, publishId, settings } = publication;
    const { log, names } = this.host.store;
    const subject = names.event(this.token);
    const { after, known } = active;
    const message: Message = {
      ...this.#message(kind, { after, known, text: encodeEvent(event) }),
      mark,
    };
    const ack = await log.publish(subject, encodeMessage(message), {
      // A publish id counts for its channel alone.
      publishId: publishId === undefined ? undefined : `${subject} ${encodeURIComponent(publishId)}`,
      ...(expected !== undefined && { expected }),
    });
    this.#stored = Math.max(this.#stored, number);
    const position = { offset: ack.seq, mark: ack.duplicate ? await this.#markAt(ack) : mark };
    if (this.hearing.isTooLate({ ...position, after })) throw this.#completed();
    if (ack.duplicate) return position;
    if (known && ack.seq <= known.offset) this.host.isAnother();
    if (ack.seq > (active.known?.offset ?? 0)) active.known = position;
    const deletable = this.#trim.appended(settings.history ?? WINDOW, ack.seq, message.at, event.bytes);
    if (deletable !== undefined) this.#delete(deletable);
    return position;
  }

  /** The mark of an event that an earlier attempt has stored. If it is gone, no log holds its position. */
  async #markAt({ seq }: PubAck): Promise<string> {
    const kept = await this.host.store.log.message(seq);
    return (kept && decodeMessage(seq, kept.text)?.mark) ?? newMark();
  }

  async #recordEnd({ after, head, newest, record }: Standing): Promise<void> {
    const { store } = this.host;
    const kept = await store.log.newest(store.names.end(this.token));
    const end = kept && decodeMessage(newest.end, kept.text);
    if (!end || kept.seq !== newest.end) throw this.#tooFast('other');
    const completed: HeadRecord = {
      kind: 'completed',
      after,
      head: head as Position,
      end: positionOf(end),
      until: Number(end.text),
    };
    await store.replaceRecord(this.token, completed, record);
  }

  #message(
    kind: Message['kind'],
    { after, known, text = '' }: Partial<Pick<Message, 'after' | 'known' | 'text'>>,
  ): Message {
    return { kind, mark: newMark(), at: this.host.store.now(), after, known, text };
  }

  #delete(upTo: number): void {
    const { log, names } = this.host.store;
    log.purge(names.event(this.token), upTo).catch(() => undefined);
  }

  /** A step after which nothing else is under way, until it has an answer and no other process was faster. */
  #alone<T>(step: (standing: Standing) => Promise<T | undefined>): Promise<T> {
    return this.#order.run(async () => {
      await Promise.allSettled(this.#unanswered);
      for (let i = 0; i < ATTEMPTS; i++) {
        try {
          const answer = await step(await standingOf(this.host.store, this.token));
          if (answer !== undefined) return answer;
        } catch (error) {
          if (!isConflict(error)) throw error;
        }
      }
      throw this.#tooFast('other');
    });
  }

  #tooFast(kind: 'publish' | 'other'): SseError {
    return notSent(kind, `The channel "${this.name}" changes too fast.`);
  }

  #completed(): SseError {
    return channelCompleted(this.name);
  }
}
