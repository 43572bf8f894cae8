import { HEARTBEAT, SharedText } from '../protocol/event-stream.js';
import type { RunQueue } from '../channels/run-queue.js';
import type { Cursor } from '../streams/cursor.js';
import type { BackPressure } from '../streams/sink.js';
import { GatheredText } from './gathered-text.js';
import type { ResponseWriter } from './response-writer.js';
import type { SseConnection } from './sse-connection.js';

/** Characters that are gathered for one write. */
const FULL = 64 * 1024;

/** Characters from which on a text that many clients get is written by itself, so that they share its bytes. */
const SHARED = 8 * 1024;

const HEARTBEAT_TEXT = new SharedText(HEARTBEAT);

/**
 * The bytes on their way to one client: gathered for a turn of the event loop, then written at once.
 *
 * Until the response is open it takes `queuedBytes`. From then on it is full for the rest of the turn at `FULL`, enough
 * for one write, and backed up while the client does not take what was written. Sources that ignore back-pressure, of
 * the pace `unpaced`, may add `queuedBytes` more while it is backed up.
 */
export class Outbox {
  /** Large texts that are shared, and what was gathered between them; undefined for none, as nearly always. */
  #parts: SharedText[] | undefined;
  /** Text that was gathered after the parts. */
  #tail = GatheredText.EMPTY;
  /** Characters of all that. */
  #length = 0;
  /** The share of them that came from unpaced sources. */
  #unpaced = 0;
  #writer: ResponseWriter | undefined;
  #isBackedUp = false;
  /** Characters of unpaced sources that were written on top of what the client has not taken. */
  #onTop = 0;
  /** The timer of `coalesce` after a write: until it fires, text is gathered for the next write. */
  #resting: NodeJS.Timeout | undefined;
  /** About when it wrote last. No write looks at the clock: one in the run queue takes the time at which the turn began. */
  #wroteAt = performance.now();

  constructor(
    private readonly connection: Pick<
      SseConnection,
      'settings' | 'scheduleRun' | 'backedUp' | 'drained' | 'overflowed'
    >,
    private readonly queue: Pick<RunQueue, 'beganAt'>,
  ) {}

  get backPressure(): BackPressure {
    if (this.#isBackedUp) return 'backed up';
    return this.#length >= (this.#writer ? FULL : this.connection.settings.queuedBytes) ? 'full' : 'none';
  }

  /** Characters that wait to be written, and bytes that the socket has not passed on. */
  get waitingBytes(): number {
    return this.#length + (this.#writer?.waitingBytes ?? 0);
  }

  get isEmpty(): boolean {
    return this.#length === 0;
  }

  open(writer: ResponseWriter): void {
    this.#writer = writer;
  }

  /**
   * @param id of the event; undefined for none
   * @param pace whether its source heeds back-pressure
   */
  add(body: string | SharedText, id?: string, pace: Cursor['pace'] = 'client'): void {
    const before = this.#tail;
    let length: number;
    if (typeof body === 'string' || body.text.length < SHARED) {
      this.#tail = before.plus(body, id);
      length = this.#tail.text.length - before.text.length;
    } else {
      const part = id === undefined ? before : before.plus('', id);
      const parts = (this.#parts ??= []);
      if (part !== GatheredText.EMPTY) parts.push(part);
      parts.push(body);
      this.#tail = GatheredText.EMPTY;
      length = part.text.length - before.text.length + body.text.length;
    }
    this.#length += length;
    if (pace === 'unpaced') this.#unpaced += length;
    this.connection.scheduleRun();
  }

  /** Writes bytes that all clients share, at once unless something waits. */
  addShared(shared: SharedText): void {
    const writer = this.#writer;
    if (!writer || !this.isEmpty || this.#resting) return this.add(shared);
    this.#wrote(writer.write(shared) ? 'taken' : 'not taken', writer);
  }

  /** Writes what waits, unless it is to be gathered for longer. */
  flush(): void {
    if (!this.#resting || this.#length >= FULL) this.flushAll();
  }

  flushAll(): void {
    const writer = this.#writer;
    if (this.isEmpty || !writer) return;
    const parts = this.#parts;
    const tail = this.#tail;
    // One write may be large. Only bytes that are written while the client has not taken the last ones are counted.
    if (this.#isBackedUp) this.#onTop += this.#unpaced;
    this.#parts = undefined;
    this.#tail = GatheredText.EMPTY;
    this.#length = this.#unpaced = 0;
    const { queuedBytes } = this.connection.settings;
    if (this.#onTop > queuedBytes)
      this.connection.overflowed(`does not read: more than queuedBytes (${queuedBytes}) wait for it`);
    else this.#write(parts, tail, writer);
  }

  /** Milliseconds for which nothing was written. */
  silence(now: number): number {
    return now - this.#wroteAt;
  }

  /** @param now `performance.now()` */
  beat(now: number): void {
    const writer = this.#writer;
    if (writer) this.#wrote(writer.write(HEARTBEAT_TEXT) ? 'taken' : 'not taken', writer);
    this.#wroteAt = now;
  }

  /** Writes what a whole response ends with, after all that was gathered. */
  finish(): void {
    this.#writer?.finish();
  }

  close(): void {
    clearTimeout(this.#resting);
  }

  #write(parts: readonly SharedText[] | undefined, tail: SharedText, writer: ResponseWriter): void {
    let isTaken = true;
    for (const part of parts ?? []) isTaken = writer.write(part);
    if (tail !== GatheredText.EMPTY) isTaken = writer.write(tail);
    this.#wrote(isTaken ? 'taken' : 'not taken', writer);
  }

  #wrote(outcome: 'taken' | 'not taken', writer: ResponseWriter): void {
    const { beganAt } = this.queue;
    if (beganAt > this.#wroteAt) this.#wroteAt = beganAt;
    const { coalesce } = this.connection.settings;
    if (coalesce > 0)
      this.#resting ??= setTimeout(() => {
        this.#resting = undefined;
        // Its run writes, and lets the channels read on that a full outbox has stopped.
        this.connection.scheduleRun();
      }, coalesce);
    if (outcome === 'taken' || this.#isBackedUp) return;
    this.#isBackedUp = true;
    this.connection.backedUp();
    writer.onceDrained(() => {
      this.#isBackedUp = false;
      this.#onTop = 0;
      this.connection.drained();
    });
  }
}
