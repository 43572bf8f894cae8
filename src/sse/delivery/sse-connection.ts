import { randomUUID } from 'node:crypto';
import { Logger } from '@nestjs/common';
import type { Observable } from 'rxjs';
import type { Batch } from '../hub/channel.js';
import { ChannelStream } from '../hub/channel-stream.js';
import type { ConnectionDetails, OpenConnection } from '../hub/connections.js';
import type { Cursor } from '../hub/cursor.js';
import type { Gap } from '../hub/sse-event.js';
import type { StreamHost } from '../hub/stream-context.js';
import { StreamReader, type ReaderOwner } from '../hub/stream-reader.js';
import type { TurnTask } from '../hub/turn.js';
import { eventBody, idBlock, idLine, retryBlock } from '../protocol/event-stream.js';
import { parseLastEventId, type LastEventId } from '../protocol/position.js';
import { SseError, type SseErrorCode } from '../sse.errors.js';
import type { SlowPolicy } from '../sse.options.js';
import type { ConnectionServices, ConnectionSettings } from './connection-settings.js';
import { EventText } from './event-text.js';
import type { Exchange } from './exchange.js';
import type { Beating } from './heartbeat.js';
import { Outbox, type OutboxOwner } from './outbox.js';
import { errorEvent, isLogged } from './plain-event.js';
import { Pipeline } from './pipeline.js';
import type { ResponseHead } from './response-head.js';
import { ResponseWriter } from './response-writer.js';

const logger = new Logger('SseConnection');

/** What may be over when the client comes back; an EventSource that gets an error status never does. */
const RETURNABLE: ReadonlySet<SseErrorCode> = new Set(['HUB_FULL', 'BACKPLANE_AWAY']);

/** How a response ends, once that is to be. */
interface Finish {
  readonly retry?: number | undefined;
  /** Whether it ends whatever its Observable may still have to say. */
  readonly isForced: boolean;
  /** Whether its Observable has said everything. */
  readonly isComplete: boolean;
}

/** One response: what its Observable emits goes out as an event stream. */
export class SseConnection
  implements ReaderOwner, OutboxOwner, StreamHost, OpenConnection, Beating, TurnTask
{
  readonly id = randomUUID();
  readonly connectedAt = new Date();
  readonly lastEventId: LastEventId;
  readonly reader: StreamReader;
  readonly heartbeat: number;
  readonly slow: SlowPolicy | undefined;
  batches: ((cursor: Cursor, batch: Batch) => void) | undefined;
  readonly pipeline = new Pipeline(this);
  readonly #text: EventText;
  readonly #outbox: Outbox;
  readonly #goOn: TurnTask = { turn: () => this.#resume() };
  /** What comes before everything else, once the positions at the start are known. */
  #opening: string | undefined;
  #isIntroduced = false;
  #isDirect = false;
  #opened: (() => void) | undefined;
  #finish: Finish | undefined;
  #isReady = false;
  #isDue = false;
  #isClosed = false;
  /** When hidden events were last looked at. */
  #lookedAt = performance.now();

  constructor(
    readonly exchange: Exchange,
    private readonly head: ResponseHead,
    private readonly settings: ConnectionSettings,
    private readonly services: ConnectionServices,
  ) {
    this.lastEventId = parseLastEventId(exchange.lastEventId);
    this.heartbeat = settings.heartbeat;
    this.slow = settings.slow;
    this.reader = new StreamReader(services.channels, this, settings.maxChannels);
    this.#text = new EventText(this.reader, this.lastEventId, settings.numbered);
    this.#outbox = new Outbox(this, services.heartbeat, settings.queuedBytes, settings.coalesce);
  }

  /** Counts among the open ones from now on. */
  register(): void {
    this.services.connections.add(this);
    this.services.heartbeat.add(this);
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Whether Nest is done with the request although the stream goes on. */
  get isDirect(): boolean {
    return this.#isDirect;
  }

  get info(): ConnectionDetails {
    const { path, request } = this.exchange;
    return {
      id: this.id,
      connectedAt: this.connectedAt,
      channels: this.reader.names,
      path,
      address: request.socket.remoteAddress,
    };
  }

  get hasReturned(): boolean {
    return this.pipeline.hasReturned;
  }

  get isSubscribing(): boolean {
    return this.pipeline.isSubscribing;
  }

  streams(channel: string): boolean {
    return this.reader.names.includes(channel);
  }

  get paused(): boolean {
    return this.#outbox.paused;
  }

  get lags(): boolean {
    return this.#outbox.isBlocked;
  }

  /** Serves what comes out of the interceptors, to its end. */
  serve(outcome: Observable<unknown>): void {
    this.pipeline.subscribeOutcome(outcome, {
      next: (value) => {
        if (!this.#isDirect) this.next(value);
      },
      error: (error) => {
        this.error(error);
      },
      complete: () => {
        if (this.#isDirect) this.#released();
        else this.complete();
      },
    });
    if (this.#isClosed) this.pipeline.release();
  }

  /**
   * Serves what a method returned, with nothing in between. What comes out of the interceptors is
   * then no more than that the head was sent.
   *
   * @returns when the head was sent
   */
  serveDirectly(source: Observable<unknown>): Promise<void> {
    if (this.#isClosed) return Promise.resolve();
    this.#isDirect = true;
    this.ready();
    const opened = new Promise<void>((resolve) => {
      this.#opened = resolve;
    });
    if (source instanceof ChannelStream) {
      // Bytes that are made once for all clients can be used where only one channel makes the ids.
      if (source.request.channels.length === 1) {
        this.batches = (cursor, batch) => {
          this.#takeBatch(cursor, batch);
        };
      }
      this.pipeline.join({ unsubscribe: source.join(this, this) });
    } else {
      this.pipeline.subscribeSource(source, this);
    }
    if (this.#isClosed) this.pipeline.release();
    return opened;
  }

  /** The controller's method has resolved: the head can be sent when the positions are known. */
  ready(): void {
    this.#isReady = true;
    // Not at once: what fails in this turn still gets a real HTTP status.
    this.services.channels.turns.addNext(this);
  }

  next(value: unknown): void {
    // After an error nothing follows, although its source may not know of it yet.
    if (this.#isClosed || this.#finish?.isForced === false) return;
    try {
      const { text, isUnpaced } = this.#text.of(value);
      this.#outbox.add(text, isUnpaced);
    } catch (error) {
      // A value that has no JSON form, for instance. It ends its own stream only.
      this.error(error);
    }
  }

  error(error: unknown): void {
    if (this.#isClosed) return;
    if (!this.#outbox.isOpen && this.#outbox.isEmpty && !this.head.isSent) {
      if (error instanceof SseError && RETURNABLE.has(error.code)) return this.settings.turnAway();
      return this.fail(error);
    }
    if (isLogged(error)) logger.error(error);
    this.#outbox.add(errorEvent(error));
    this.#finish ??= { isForced: false, isComplete: false };
    // It may be an event that could not be written: then its source does not know that it is over.
    this.pipeline.release();
  }

  /** Hands an error to the exception filters, in place of a stream. */
  fail(error: unknown): void {
    this.close();
    this.head.fail(error);
  }

  complete(): void {
    this.#finish ??= { isForced: false, isComplete: true };
    this.filled();
  }

  /** Ends the response after what was published before, whatever its Observable may still have to say. */
  end(retry?: number): void {
    this.#finish = { retry, isForced: true, isComplete: false };
    this.filled();
  }

  /** The client has gone. Nothing is left behind. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.pipeline.release();
    this.#outbox.close();
    this.reader.end();
    this.services.connections.delete(this);
    this.services.heartbeat.delete(this);
    this.#opened?.();
  }

  gap(cursor: Cursor, gap: Gap): void {
    const body = eventBody({ type: 'gap', data: JSON.stringify(gap) });
    const id = cursor.channel.hasHistory ? this.reader.id() : undefined;
    this.#outbox.add(id === undefined ? body : idLine(id) + body);
  }

  /** By policy: the client was too slow. It comes back and resumes. */
  disconnect(): void {
    this.exchange.response.destroy();
    this.close();
  }

  run(task: () => void): void {
    this.pipeline.run(task);
  }

  located(): void {
    const id = this.reader.id();
    if (this.#outbox.isOpen) this.#introduce(id);
    else if (this.#opening === undefined) this.#opening = this.#introduction(id);
    else if (id !== undefined) this.#outbox.add(idBlock(id));
    this.filled();
  }

  beat(now: number): void {
    if (!this.#outbox.isOpen || this.#outbox.isBlocked) return;
    const isLookDue = now - this.#lookedAt >= this.heartbeat;
    if (isLookDue) this.#lookedAt = now;
    if (isLookDue && this.reader.passHidden()) this.#outbox.add(idBlock(this.reader.id() as string));
    else if (this.#outbox.isSilent(this.heartbeat, now)) this.#outbox.beat();
  }

  filled(): void {
    if (this.#isDue || this.#isClosed) return;
    this.#isDue = true;
    this.services.channels.turns.add(this);
  }

  turn(): void {
    this.#isDue = false;
    if (this.#isClosed || (!this.#outbox.isOpen && !this.#open())) return;
    // What was published before the end still goes out, although its channel's turn may come later.
    if (this.#finish?.isForced) this.reader.resume();
    const wasFull = this.#outbox.isFull;
    this.#outbox.flush();
    if (this.#finish && (this.#finish.isForced || !wasFull)) this.#end(this.#finish);
    // Not in this turn: a long replay lets others in between.
    else if (wasFull) this.services.channels.turns.addNext(this.#goOn);
  }

  drained(): void {
    this.#resume();
  }

  overflowed(queued: number): void {
    logger.warn(
      `A client of ${this.exchange.path} does not read: ${queued} bytes wait for it, more than queuedBytes (${this.settings.queuedBytes}). It was disconnected.`,
    );
    this.disconnect();
  }

  /** Nest is done with the request. What it has to remember of it is nothing to a stream. */
  #released(): void {
    this.head.release();
    this.pipeline.forgetOutcome();
  }

  #resume(): void {
    if (this.#isClosed) return;
    this.reader.resume();
    if (this.#finish) this.filled();
  }

  #takeBatch(cursor: Cursor, batch: Batch): void {
    this.reader.sent(cursor);
    this.#outbox.addBatch(batch);
  }

  /** Begins the response, if everything that its head says is known. */
  #open(): boolean {
    if (!this.#mayOpen()) return false;
    const opening = this.#opening ?? this.#introduction(this.reader.id());
    try {
      if (this.#finish && this.#outbox.isEmpty && this.reader.isExhausted) {
        this.close();
        this.head.stayAway();
        return false;
      }
      if (!this.head.send(opening)) {
        setTimeout(() => {
          this.filled();
        }, 1);
        return false;
      }
    } catch (error) {
      this.fail(error); // Node checks the values of headers only now.
      return false;
    }
    this.#isIntroduced = opening !== '';
    this.#outbox.open(new ResponseWriter(this.exchange.response));
    this.#opened?.();
    if (this.exchange.isHead) this.#end({ isForced: false, isComplete: false });
    return !this.#isClosed;
  }

  #mayOpen(): boolean {
    if (this.#finish?.isForced) return true;
    const hasSomethingToSay = this.#isReady || this.#finish !== undefined || !this.#outbox.isEmpty;
    return hasSomethingToSay && !this.reader.isLocating;
  }

  /** How long to wait before a reconnect, and the position at the start; a stock route without hub streams stays as it is. */
  #introduction(id: string | undefined): string {
    const retry = retryBlock(this.#finish?.retry ?? this.settings.retry);
    if (id !== undefined) return idLine(id) + retry;
    return this.settings.numbered && !this.reader.isUsed ? '' : retry;
  }

  /** A stream that came late: the position in its channel is new to the client. */
  #introduce(id: string | undefined): void {
    const text = this.#isIntroduced ? (id === undefined ? '' : idBlock(id)) : this.#introduction(id);
    this.#isIntroduced ||= text !== '';
    if (text) this.#outbox.add(text);
  }

  #end({ retry, isComplete }: Finish): void {
    if (this.reader.passHidden(isComplete)) this.#outbox.add(idBlock(this.reader.id() as string));
    if (retry !== undefined) this.#outbox.add(retryBlock(retry));
    this.#outbox.flush(true);
    if (this.#isClosed) return;
    this.close();
    this.head.end();
    this.exchange.finishWithin(this.settings.grace);
  }
}
