import type { Batch } from '../channels/channel.js';
import type { SharedText } from '../log/shared-text.js';
import { HEARTBEAT } from '../protocol/event-stream.js';
import type { ResponseWriter } from './response-writer.js';

/** Characters that are gathered for one write. */
const FULL = 64 * 1024;

/** Characters from which on a text that many clients get is written by itself, so that they share its bytes. */
const SHARED = 8 * 1024;

export interface OutboxSettings {
  /** Characters that may wait for a client that does not read, of what cannot be paused. */
  readonly queuedBytes: number;
  /** Milliseconds after a write in which what comes is gathered for the next; 0 for none. */
  readonly coalesce: number;
}

/** What an outbox asks of its connection. */
export interface OutboxOwner {
  /** There is something to flush. */
  filled(): void;
  /** The client has taken what was written, and can take more. */
  drained(): void;
  /** More waits than is allowed to, and it cannot be paused. */
  overflowed(waiting: number): void;
}

/**
 * What is on its way to one client: gathered for a turn of the event loop, then written at once.
 *
 * Until the response is open it takes as much as may wait for a client; from then on it is full for the rest of the
 * turn when enough was gathered for one write, and backed up while the client does not take what was written.
 */
export class Outbox {
  /** Large texts that are shared, each after what was gathered before it. */
  #parts: { readonly before: string; readonly shared: SharedText }[] = [];
  /** What was gathered after them. */
  #tail = '';
  /** Characters of all that. */
  #length = 0;
  #writer: ResponseWriter | undefined;
  /** The client cannot take more. */
  #isBlocked = false;
  /** Something of what waits came from a source that cannot be paused. */
  #hasUnpaced = false;
  /** Characters that were written although the client was blocked. */
  #waiting = 0;
  /** The end of the time window of the last write. */
  #resting: NodeJS.Timeout | undefined;
  #wroteAt = performance.now();

  constructor(
    private readonly owner: OutboxOwner,
    private readonly settings: OutboxSettings,
  ) {}

  /** Whether what can be paused shall wait. */
  get paused(): boolean {
    return this.#isBlocked || this.#length >= (this.#writer ? FULL : this.settings.queuedBytes);
  }

  get isFull(): boolean {
    return this.#length >= FULL;
  }

  get isBlocked(): boolean {
    return this.#isBlocked;
  }

  get isEmpty(): boolean {
    return this.#length === 0;
  }

  open(writer: ResponseWriter): void {
    this.#writer = writer;
  }

  /** @param isUnpaced whether it came without regard to `paused` */
  add(text: string, isUnpaced = false): void {
    this.#tail += text;
    this.#grown(text.length, isUnpaced);
  }

  /** @param id the line of an id, or nothing */
  addShared(id: string, shared: SharedText, isUnpaced = false): void {
    if (shared.text.length < SHARED) return this.add(id + shared.text, isUnpaced);
    this.#parts.push({ before: this.#tail + id, shared });
    this.#tail = '';
    this.#grown(id.length + shared.text.length, isUnpaced);
  }

  /** Writes bytes that all clients share. */
  addBatch(batch: Batch): void {
    if (this.#writer && this.isEmpty && !this.#resting)
      this.#wrote(this.#writer.writeShared(batch), this.#writer);
    else this.addShared('', batch);
  }

  /** Writes what waits; within the time window of a write before only if it must be now. */
  flush(isLast = false): void {
    if (this.#resting && !this.isFull && !isLast) return;
    if (this.isEmpty || !this.#writer) return;
    const length = this.#length;
    const parts = this.#parts;
    const tail = this.#tail;
    this.#parts = [];
    this.#tail = '';
    this.#length = 0;
    // What came in one turn may be large. What comes on top of it, to a client that has not taken it, is counted.
    if (this.#isBlocked && this.#hasUnpaced) this.#waiting += length;
    if (this.#waiting > this.settings.queuedBytes) this.owner.overflowed(this.#waiting);
    else this.#write(parts, tail, this.#writer);
  }

  /** Milliseconds for which nothing was written. */
  silence(now: number): number {
    return now - this.#wroteAt;
  }

  beat(): void {
    if (this.#writer) this.#wrote(this.#writer.write(HEARTBEAT), this.#writer);
  }

  close(): void {
    clearTimeout(this.#resting);
  }

  #grown(length: number, isUnpaced: boolean): void {
    this.#length += length;
    if (isUnpaced) this.#hasUnpaced = true;
    this.owner.filled();
  }

  #write(
    parts: readonly { readonly before: string; readonly shared: SharedText }[],
    tail: string,
    writer: ResponseWriter,
  ): void {
    let isTaken = true;
    for (const { before, shared } of parts) {
      if (before) writer.write(before);
      isTaken = writer.writeShared(shared);
    }
    this.#wrote(tail ? writer.write(tail) : isTaken, writer);
  }

  #rest(): void {
    this.#resting ??= setTimeout(() => {
      this.#resting = undefined;
      this.flush();
    }, this.settings.coalesce);
  }

  #wrote(taken: boolean, writer: ResponseWriter): void {
    this.#wroteAt = performance.now();
    if (this.settings.coalesce > 0) this.#rest();
    if (taken) {
      this.#hasUnpaced = false;
    } else if (!this.#isBlocked) {
      this.#isBlocked = true;
      writer.onceDrained(() => {
        this.#isBlocked = false;
        this.#hasUnpaced = false;
        this.#waiting = 0;
        this.owner.drained();
      });
    }
  }
}
