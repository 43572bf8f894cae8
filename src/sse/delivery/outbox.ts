import type { Batch } from '../hub/channel.js';
import { HEARTBEAT } from '../protocol/event-stream.js';
import type { ResponseWriter } from './response-writer.js';

/** Characters that are gathered for one write. */
const FULL = 64 * 1024;

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

/** What is on its way to one client: gathered for a turn of the event loop, then written at once. */
export class Outbox {
  /** What waits for the end of the turn. */
  #pending = '';
  #writer: ResponseWriter | undefined;
  /** The client cannot take more. */
  #isBlocked = false;
  /** Enough has been gathered. */
  #isFull = false;
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
    return this.#isBlocked || this.#isFull;
  }

  get isFull(): boolean {
    return this.#isFull;
  }

  get isBlocked(): boolean {
    return this.#isBlocked;
  }

  get isEmpty(): boolean {
    return this.#pending === '';
  }

  /** Whether the head of the response was sent, so that it can be written to. */
  get isOpen(): boolean {
    return this.#writer !== undefined;
  }

  open(writer: ResponseWriter): void {
    this.#writer = writer;
  }

  /** @param isUnpaced whether it came without regard to `paused` */
  add(text: string, isUnpaced = false): void {
    this.#pending += text;
    if (isUnpaced) this.#hasUnpaced = true;
    if (this.#pending.length >= FULL) this.#isFull = true;
    this.owner.filled();
  }

  /** Writes bytes that all clients share. */
  addBatch(batch: Batch): void {
    if (this.#writer && !this.#pending && !this.#resting)
      this.#wrote(this.#writer.writeBatch(batch), this.#writer);
    else this.add(batch.text);
  }

  /** Writes what waits; within the time window of a write before only if it must be now. */
  flush(isLast = false): void {
    if (this.#resting && !this.#isFull && !isLast) return;
    this.#isFull = false;
    if (!this.#pending || !this.#writer) return;
    const text = this.#pending;
    this.#pending = '';
    // What came in one turn may be large. What comes on top of it, to a client that has not taken it, is counted.
    if (this.#isBlocked && this.#hasUnpaced) this.#waiting += text.length;
    if (this.#waiting > this.settings.queuedBytes) this.owner.overflowed(this.#waiting);
    else this.#wrote(this.#writer.write(text), this.#writer);
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
