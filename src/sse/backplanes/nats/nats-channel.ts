import type { Msg } from '@nats-io/transport-node';
import { SseError } from '../../sse.errors.js';
import type { HistoryOptions } from '../../sse.options.js';
import type { ChannelSettings } from '../../sse.settings.js';
import { WINDOW } from '../../hub/backplane.js';
import type { StoredEvent } from '../../hub/stored-event.js';
import type { Position } from '../../protocol/position.js';
import type { RemoteRange } from '../remote/log-mirror.js';
import { ChannelState } from './channel-state.js';
import { InOrder } from './in-order.js';
import type { Incarnation } from './incarnation.js';
import { encodeMessage, sequenceOf } from './message.js';
import { callFailure, isNobodyThere, publishFailure } from './nats-errors.js';
import type { NatsFollow } from './nats-follow.js';
import type { NatsStream } from './nats-stream.js';
import { readRange } from './range.js';
import { Trim } from './trim.js';

/** One channel, and what this process does to it, in order. */
export class NatsChannel {
  readonly state: ChannelState;
  /** Keeps a copy of its log up to date while it is followed here. */
  follow: NatsFollow | undefined;
  #trim = new Trim();
  #trimEra = 0;
  readonly #order = new InOrder();
  readonly #unanswered = new Set<Promise<unknown>>();

  constructor(
    readonly name: string,
    private readonly stream: NatsStream,
    private readonly incarnation: Incarnation,
  ) {
    this.state = new ChannelState(name, stream, incarnation);
  }

  /** Whether it can be forgotten: what is needed of it can be read again. */
  get isIdle(): boolean {
    return this.#order.isIdle && this.#unanswered.size === 0 && this.follow === undefined;
  }

  async append(settings: ChannelSettings, event: StoredEvent, publishId?: string): Promise<Position> {
    const limits = limitsOf(settings);
    const { state } = this;
    if (this.#order.isIdle && state.isOpen && !state.record?.completed)
      return this.#publish(limits, event, publishId);
    const { position } = await this.#order.run(async () => {
      await this.#begin(limits).catch((error: unknown) => {
        throw callFailure('publish', error);
      });
      // Not awaited: the next one is sent at once.
      return { position: this.#publish(limits, event, publishId) };
    });
    return position;
  }

  complete(settings: ChannelSettings): Promise<void> {
    return this.#alone(async () => {
      await this.state.load();
      await this.state.open(limitsOf(settings));
      const completed = { until: Date.now() + settings.ttl };
      await this.state.change((record) => (record.completed ? record : { ...record, completed }));
      await this.follow?.mirror.resync();
    });
  }

  purge(): Promise<void> {
    return this.#alone(async () => {
      await this.state.load();
      const newest = await this.stream.newest(this.state.events);
      if (!newest) return;
      const purged = newest.seq;
      await this.state.open(this.state.record?.limits ?? WINDOW);
      await this.state.change((record) => (record.purged < purged ? { ...record, purged } : record));
      await this.stream.purge(this.state.events, purged);
      await this.follow?.mirror.purged(this.state.epoch, purged);
    });
  }

  /** What the server keeps of it; `undefined` if there is no such channel. */
  read(): Promise<RemoteRange | undefined> {
    return this.#alone(async () => {
      await this.state.load();
      const { record } = this.state;
      if (!record && !(await this.stream.newest(this.state.events))) return undefined;
      return readRange(this.state, record?.limits ?? WINDOW);
    });
  }

  /** The record was changed, by another process perhaps. */
  recordTold(message: Msg): void {
    const before = this.state.record;
    const seq = sequenceOf(message);
    if (!seq || !this.state.told(seq, message.string())) return;
    const { record } = this.state;
    const mirror = this.follow?.mirror;
    if (!mirror || !record || !before) return;
    const isPurge = record.purged > before.purged && record.generation === before.generation;
    if (isPurge) void mirror.purged(this.state.epoch, record.purged);
    else void mirror.resync().catch(() => undefined);
  }

  async #publish(
    limits: Required<HistoryOptions>,
    event: StoredEvent,
    publishId: string | undefined,
  ): Promise<Position> {
    const at = Date.now();
    const sent = this.incarnation.now;
    const trim = this.#trimOf(sent.era);
    const trimmed = trim.upTo;
    // A publish id counts for its channel alone.
    const messageId =
      publishId === undefined ? undefined : `${this.state.events} ${encodeURIComponent(publishId)}`;
    const answer = this.stream.publish(this.state.events, encodeMessage({ at, trimmed, event }), messageId);
    this.#unanswered.add(answer);
    try {
      const { seq, duplicate } = await answer;
      if (!duplicate && seq <= sent.highest) await this.incarnation.check();
      await this.#stored(seq, duplicate);
      if (!duplicate) {
        this.incarnation.saw(seq, at);
        const deletable = trim.appended(limits, seq, at, event.bytes, trimmed);
        if (deletable !== undefined) this.stream.purge(this.state.events, deletable).catch(() => undefined);
      }
      return { epoch: this.state.epoch, offset: seq };
    } catch (error) {
      // The stream may have been deleted: it is made again.
      if (isNobodyThere(error)) this.incarnation.check().catch(() => undefined);
      throw publishFailure(error);
    } finally {
      this.#unanswered.delete(answer);
    }
  }

  /** Sees to it that what was stored is an event of the channel, and that those who follow it here were told. */
  async #stored(seq: number, duplicate: boolean): Promise<void> {
    const { state } = this;
    if (!state.isLoaded) await state.load();
    if (state.isTooLate(seq)) {
      if (!duplicate) this.stream.deleteMessage(seq).catch(() => undefined);
      throw this.#completed();
    }
    const mirror = this.follow?.mirror;
    // As a rule the notice comes before the answer.
    if (mirror?.isOpen && !mirror.has({ epoch: state.epoch, offset: seq })) await mirror.resync();
  }

  /** Offsets of another era may not be those of this one. */
  #trimOf(era: number): Trim {
    if (era !== this.#trimEra) this.#trim = new Trim();
    this.#trimEra = era;
    return this.#trim;
  }

  /** Sees to it that an event can be appended. */
  async #begin(limits: Required<HistoryOptions>): Promise<void> {
    if (!this.state.isLoaded) await this.state.load();
    const { completed } = await this.state.open(limits);
    if (completed) throw this.#completed();
  }

  #completed(): SseError {
    return new SseError(
      'CHANNEL_COMPLETED',
      `The channel "${this.name}" was completed. Publish to another, or wait until its ttl is over.`,
    );
  }

  /** A step that waits until what was sent before it is stored. */
  #alone<T>(step: () => Promise<T>): Promise<T> {
    return this.#order.run(async () => {
      await Promise.allSettled(this.#unanswered);
      return step();
    });
  }
}

export const limitsOf = ({ history }: ChannelSettings): Required<HistoryOptions> => history ?? WINDOW;
