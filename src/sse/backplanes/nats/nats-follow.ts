import type { Msg } from '@nats-io/transport-node';
import type { HistoryOptions } from '../../sse.options.js';
import { LogMirror, type RemoteRange } from '../remote/log-mirror.js';
import type { MirrorMemory } from '../remote/mirror-memory.js';
import type { Position } from '../../protocol/position.js';
import type { ChannelState } from './channel-state.js';
import { lastSequenceOf, sequenceOf } from './message.js';
import { callFailure } from './nats-errors.js';
import { eventIn, readRange } from './range.js';

/** Messages that are held; what is beyond is read. */
const MAX_EARLY = 1_000;

interface Host {
  /** Does something when there is a connection. */
  whenUp<T>(task: () => Promise<T>): Promise<T>;
  /** Nobody needs it any more. */
  unused(): void;
}

/**
 * A channel that is followed: the copy of its log, and the subscription that keeps it up to date.
 *
 * There is one core subscription for each followed channel, not one for all: an instance is then sent what
 * its clients listen to, and not all that anybody publishes. On the server it costs an entry in a tree.
 * Nothing is lost between it and the first read: both go over one connection, so the server knows of the
 * subscription when it reads.
 */
export class NatsFollow {
  readonly mirror: LogMirror;
  /** Rejects when the log cannot be had. */
  readonly opened: Promise<void>;
  readonly #unsubscribe: () => void;
  #users = 0;
  /** What came live before the log was there: it is not known yet what it follows on. */
  readonly #early: Msg[] = [];
  /** The newest of the channel's messages that came live, and the newest event among them. */
  #seen = 0;
  #tail = 0;
  #era = 0;
  /** Up to this sequence of the stream nothing of the channel was missed. */
  #synced = 0;

  constructor(
    private readonly state: ChannelState,
    private readonly limits: Required<HistoryOptions>,
    memory: MirrorMemory,
    private readonly host: Host,
  ) {
    this.#unsubscribe = state.stream.link.subscribe(state.liveEvents, (message) => this.#take(message));
    this.mirror = new LogMirror(state.name, limits, (known) => host.whenUp(() => this.#read(known)), memory);
    this.opened = this.#open();
  }

  /** @returns ends the use; may come twice */
  use(): () => void {
    this.#users++;
    let isUsed = true;
    return () => {
      if (!isUsed) return;
      isUsed = false;
      if (--this.#users === 0) this.host.unused();
    };
  }

  /** The connection is lost: what came until then is all that was there. */
  lost(): void {
    if (this.mirror.isUpToDate) this.#synced = Math.max(this.#synced, this.state.incarnation.now.highest);
  }

  close(): void {
    this.#unsubscribe();
    this.mirror.close();
  }

  async #open(): Promise<void> {
    await this.mirror.open();
    const early = this.#early.splice(0);
    for (const message of early) this.#take(message);
    if (early.length === MAX_EARLY) await this.mirror.resync();
  }

  async #read(known: Position | undefined): Promise<RemoteRange> {
    const { state, limits } = this;
    const { highest } = state.incarnation.now;
    try {
      await state.load();
      // A channel that is followed is not given back, when its completion is over.
      if (!known || !state.record?.completed) await state.open(limits);
      const range = await readRange(state, limits, known && { position: known, synced: this.#synced });
      this.#synced = Math.max(highest, range.head);
      return range;
    } catch (error) {
      throw callFailure('other', error);
    }
  }

  #take(message: Msg): void {
    const { state, mirror } = this;
    const seq = sequenceOf(message);
    // What comes before the record is known is in what is read after it.
    if (seq === undefined || !state.isLoaded) return;
    if (!mirror.isOpen) {
      if (this.#early.length < MAX_EARLY) this.#early.push(message);
      return;
    }
    const { era } = state.incarnation.now;
    if (era !== this.#era) this.#seen = this.#tail = 0;
    this.#era = era;
    const read = eventIn(state, seq, message.string());
    state.incarnation.saw(seq, read?.at);
    const tail = Math.max(this.#tail, mirror.position?.offset ?? 0);
    // The one before it may be gone on the server, or was skipped: then it follows on what was seen.
    const last = lastSequenceOf(message);
    const previous = last <= Math.max(this.#seen, tail) ? tail : last;
    this.#seen = seq;
    if (!read) return;
    this.#tail = seq;
    void mirror.add(state.epoch, { offset: seq, previous, at: read.at, event: read.event });
  }
}
