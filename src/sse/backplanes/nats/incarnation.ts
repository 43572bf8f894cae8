import { createHash, randomUUID } from 'node:crypto';
import type { StreamInfo } from '@nats-io/jetstream';
import { InOrder } from './in-order.js';
import { isConflict } from './nats-errors.js';
import { atOf } from './message.js';
import type { NatsStream } from './nats-stream.js';

/** A message that says: what this stream had was lost in part, from here on it is another one. */
interface RewindMarker {
  readonly seq: number;
  readonly id: string;
  readonly at: number;
}

const NO_MARKER: RewindMarker = { seq: 0, id: '', at: 0 };

/** What was known of the stream at some time. */
export interface Moment {
  readonly era: number;
  /** The highest sequence. */
  readonly highest: number;
}

/**
 * Which stream this is. It is another one when it was made anew, and when it has lost what this process has
 * seen in it (an older copy of its store, a failover): its sequences would be given away a second time.
 */
export class Incarnation {
  #created = '';
  #marker = NO_MARKER;
  #highest = 0;
  /** When the message of the highest sequence was published: if another is in its place, the stream is another one. */
  #highestAt: number | undefined;
  /** Counts the times after which what was known of the stream was not to be relied upon any more. */
  #era = 0;
  #lostAt = 0;
  readonly #checks = new InOrder();
  #next: Promise<void> | undefined;

  constructor(
    private readonly stream: NatsStream,
    /** It is another one: every channel has a new epoch. */
    private readonly onChange: () => void,
  ) {}

  get now(): Moment {
    return { era: this.#era, highest: this.#highest };
  }

  /** A channel's epoch: no other channel has it, nor this one in another incarnation or generation. */
  epochOf(channel: string, generation: number): string {
    const what = JSON.stringify([this.#created, this.#marker.id, generation, channel]);
    const digest = createHash('sha256').update(what).digest();
    return digest.readBigUInt64BE().toString(36).slice(-12).padStart(12, '0');
  }

  /** A message was seen, live or by its acknowledgement. */
  saw(seq: number, at: number | undefined): void {
    if (seq <= this.#highest) return;
    this.#highest = seq;
    this.#highestAt = at;
  }

  /** The connection is lost: what is known may be out of date when it is back. */
  lost(): void {
    this.#era++;
    this.#lostAt = Date.now();
  }

  /** Finds out whether it is still the one that was known. Makes the stream if it is gone. */
  check(): Promise<void> {
    // One that is under way may have looked too early for who asks now.
    return (this.#next ??= this.#checks.run(async () => {
      await Promise.resolve();
      this.#next = undefined;
      await this.#check();
    }));
  }

  /** Whether the stream says of itself what it must, after all that was known at some time. */
  agrees({ created, state }: StreamInfo, { era, highest }: Moment): boolean {
    return era === this.#era && created === this.#created && state.last_seq >= highest;
  }

  async #check(): Promise<void> {
    const info = await this.stream.infoOrMake();
    const marker = await this.#newestMarker();
    const isFirst = this.#created === '';
    const isOther = info.created !== this.#created;
    // Who stays connected while the stream is made anew hears of it by a marker alone.
    if (isOther && !isFirst && marker === NO_MARKER) this.#become(info, await this.#mark(marker));
    else if (isOther || this.#isNews(marker)) this.#become(info, marker);
    else if (await this.#isRewound(info)) this.#become(info, await this.#mark(marker));
  }

  /** Whether another process has set a marker, after all that this one knows. */
  #isNews({ id, at }: RewindMarker): boolean {
    return id !== this.#marker.id && at > this.#marker.at && at >= this.#lostAt;
  }

  async #isRewound({ state }: StreamInfo): Promise<boolean> {
    if (state.last_seq < this.#highest) return true;
    if (this.#highestAt === undefined) return false;
    const there = await this.stream.message(this.#highest);
    return there !== undefined && atOf(there) !== this.#highestAt;
  }

  /** Tells all processes; if another was faster, its word holds. */
  async #mark({ seq: known }: RewindMarker): Promise<RewindMarker> {
    const marker = { id: randomUUID(), at: Date.now() };
    try {
      const seq = await this.stream.replace(this.stream.subjects.rewind, JSON.stringify(marker), known);
      return { ...marker, seq };
    } catch (error) {
      if (!isConflict(error)) throw error;
      return this.#newestMarker();
    }
  }

  #become({ created, state }: StreamInfo, marker: RewindMarker): void {
    const isFirst = this.#created === '';
    this.#created = created;
    this.#marker = marker;
    this.#highest = Math.max(state.last_seq, marker.seq);
    this.#highestAt = undefined;
    this.#era++;
    if (!isFirst) this.onChange();
  }

  async #newestMarker(): Promise<RewindMarker> {
    const kept = await this.stream.newest(this.stream.subjects.rewind);
    return kept ? { ...(JSON.parse(kept.text) as { id: string; at: number }), seq: kept.seq } : NO_MARKER;
  }
}
