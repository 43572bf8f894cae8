import type { HistoryOptions } from '../../sse.options.js';
import { SseError } from '../../sse.errors.js';
import { decodeRecord, encodeRecord, type ChannelRecord, type KeptRecord } from './channel-record.js';
import type { Incarnation } from './incarnation.js';
import { isConflict } from './nats-errors.js';
import type { NatsStream } from './nats-stream.js';
import { tokenOf } from './subjects.js';

/** Tries to change a record: each means that another process was faster. */
const ATTEMPTS = 20;

type Limits = Required<HistoryOptions>;

/** What this process knows of a channel's record. It is read before anything is appended, and changes are told of live. */
export class ChannelState {
  /** The subject of its events. */
  readonly events: string;
  readonly liveEvents: string;
  readonly #subject: string;
  #kept: KeptRecord = { seq: 0 };
  #epoch: string | undefined;
  /** When the record was read. In another era of the stream it must be read anew. */
  #era = -1;

  constructor(
    readonly name: string,
    readonly stream: NatsStream,
    readonly incarnation: Incarnation,
  ) {
    const token = tokenOf(name);
    this.events = stream.subjects.events(token);
    this.liveEvents = stream.subjects.liveEvents(token);
    this.#subject = stream.subjects.record(token);
  }

  /** Whether what is known of the record can be relied upon. */
  get isLoaded(): boolean {
    return this.#era === this.incarnation.now.era;
  }

  /** Whether there is a record, so that events can be appended. */
  get isOpen(): boolean {
    return this.isLoaded && this.record !== undefined;
  }

  get record(): ChannelRecord | undefined {
    return this.#kept.record;
  }

  get epoch(): string {
    return (this.#epoch ??= this.incarnation.epochOf(this.name, this.record?.generation ?? 0));
  }

  /** Whether what has a sequence came after the channel was completed, so that it is none of its events. */
  isTooLate(seq: number): boolean {
    const completed = this.record?.completed;
    return completed?.at !== undefined && seq > completed.at;
  }

  async load(): Promise<void> {
    const { era } = this.incarnation.now;
    const before = this.#kept;
    const newest = await this.stream.newest(this.#subject);
    // Another answer, or a live record, may have been faster.
    const isOld = this.#era === era && this.#kept !== before && this.#kept.seq >= (newest?.seq ?? 0);
    if (!isOld) this.#set(newest ? decodeRecord(newest.seq, newest.text) : { seq: 0 });
    this.#era = era;
  }

  /** Another process may have changed the record. @returns whether it has */
  told(seq: number, text: string): boolean {
    if (!this.isLoaded || seq <= this.#kept.seq) return false;
    // What somebody else wrote takes its place in the stream, but says nothing.
    this.#set({ ...this.#kept, ...decodeRecord(seq, text) });
    return true;
  }

  /** Sees to it that the channel is there, with these limits, and that it begins anew if its completion is over. */
  async open(limits: Limits): Promise<ChannelRecord> {
    for (let i = 0; i < ATTEMPTS; i++) {
      // What is put in its place was made of this one: another may be known by then.
      const known = this.#kept;
      const next = await (known.record ? this.#renewed(known.record, known.seq, limits) : this.#made(limits));
      if (next === known.record || (await this.#put(next, known.seq))) return next;
    }
    throw this.#tooFast();
  }

  /** Changes the record of a channel that is there. */
  async change(change: (record: ChannelRecord) => ChannelRecord): Promise<void> {
    for (let i = 0; i < ATTEMPTS; i++) {
      const { seq, record } = this.#kept;
      if (!record) return;
      const next = change(record);
      if (next === record || (await this.#put(next, seq))) return;
    }
    throw this.#tooFast();
  }

  /** The first record, or one in the place of one that the stream's limits have let go of. */
  async #made(limits: Limits): Promise<ChannelRecord> {
    const { state } = await this.stream.info();
    const isThere = (await this.stream.newest(this.events)) !== undefined;
    // What is stored from now on is kept. Of what was before, there is nothing, or what the limits have left.
    const floor = isThere ? Math.max(state.first_seq - 1, 0) : state.last_seq;
    return { floor, purged: 0, generation: 0, limits };
  }

  async #renewed(record: ChannelRecord, seq: number, limits: Limits): Promise<ChannelRecord> {
    if (record.completed && Date.now() >= record.completed.until) {
      const last = (await this.stream.newest(this.events))?.seq ?? record.purged;
      return { floor: last, purged: last, generation: seq, limits };
    }
    const { count, bytes, age } = record.limits;
    const isSame = count === limits.count && bytes === limits.bytes && age === limits.age;
    return isSame ? record : { ...record, limits };
  }

  /** @returns whether it was stored; else the record was another one, and is known now */
  async #put(record: ChannelRecord, known: number): Promise<boolean> {
    try {
      const text = encodeRecord(record);
      const seq = await this.stream.replace(this.#subject, text, known);
      if (seq > this.#kept.seq) this.#set(decodeRecord(seq, text));
      return true;
    } catch (error) {
      if (!isConflict(error)) throw error;
      await this.load();
      return false;
    }
  }

  #tooFast(): SseError {
    return new SseError(
      'BACKPLANE_AWAY',
      `The record of the channel "${this.name}" changes too fast. Try again later.`,
    );
  }

  #set(kept: KeptRecord): void {
    this.#kept = kept;
    this.#epoch = undefined;
  }
}
