import { randomUUID } from 'node:crypto';
import { InternalServerErrorException, Logger } from '@nestjs/common';
import type { Observable } from 'rxjs';
import type { Batch } from '../channels/channel.js';
import type { SharedText } from '../log/shared-text.js';
import { isOfHub } from '../streams/client-position.js';
import { ChannelStream } from '../streams/channel-stream.js';
import type { ConnectionDetails, OpenConnection } from './connections.js';
import type { Cursor } from '../streams/cursor.js';
import type { BackPressure, Sink } from '../streams/sink.js';
import type { Gap } from '../log/sse-event.js';
import type { Subscriber } from './stream-observer.js';
import { StreamReader } from '../streams/stream-reader.js';
import type { Task } from '../channels/run-queue.js';
import { idLine, retryBlock } from '../protocol/event-stream.js';
import { parseLastEventId, type LastEventId } from '../protocol/position.js';
import type { SlowPolicy } from '../sse.options.js';
import { ConnectionAccess, type AccessOwner } from '../access/connection-access.js';
import { isOverLater, type ConnectionServices, type ConnectionSettings } from './connection-settings.js';
import type { Exchange } from './exchange.js';
import type { Beating } from './heartbeat.js';
import { Introduction } from './introduction.js';
import { Outbox, type OutboxOwner } from './outbox.js';
import { Outgoing, type OutgoingOwner } from './outgoing.js';
import { errorEvent, isLogged, ownEvent, plainEvent } from './plain-event.js';
import { Pipeline } from './pipeline.js';
import type { ResponseHead } from './response-head.js';
import { ResponseWriter } from './response-writer.js';
import { abortSignal } from './signal.js';

const logger = new Logger('SseConnection');

/** Settings of routes whose responses share a stream, which was said. */
const sharing = new WeakSet<ConnectionSettings>();

/** How a response ends, once that is to be. */
interface Finish {
  readonly retry?: number | undefined;
  /** The last event, if there is one. */
  readonly farewell?: string;
  /** Whether it ends whatever its Observable may still have to say. */
  readonly isForced: boolean;
}

/** One response: what its Observable emits goes out as an event stream. */
export class SseConnection
  implements Sink, OutboxOwner, OutgoingOwner, OpenConnection, AccessOwner, Subscriber, Beating, Task
{
  readonly lastEventId: LastEventId;
  readonly reader: StreamReader;
  takesBatches = false;
  readonly pipeline: Pipeline;
  /** Until its method has resolved it is `preparing`; the head is sent when it is `ready`. */
  #state: 'preparing' | 'ready' | 'open' | 'closed' = 'preparing';
  readonly #outbox: Outbox;
  readonly #connectedAt = Date.now();
  readonly beganAt = performance.now();
  /** Made when somebody asks for it: most are never asked. */
  #id: string | undefined;
  #outgoing: Outgoing | undefined;
  readonly #introduction: Introduction;
  /** Whether it serves what its method returned, with nothing in between. */
  #isDirect = false;
  /** Whether that is a stream of the hub as it is. */
  #isOfHub = false;
  /** Whom it belongs to, and what it may stream; only where the application knows its users. */
  readonly access: ConnectionAccess | undefined;
  #finish: Finish | undefined;
  #isDue = false;
  /** Whether more is to be read in its next turn. */
  #readsOn = false;
  /** Who waits for room. */
  #waiting: (() => void)[] | undefined;
  /** When it was last looked at whether the position has moved without an event. */
  #lookedAt = performance.now();

  constructor(
    readonly exchange: Exchange,
    private readonly head: ResponseHead,
    private readonly settings: ConnectionSettings,
    private readonly services: ConnectionServices,
  ) {
    this.lastEventId = parseLastEventId(exchange.lastEventId);
    this.reader = new StreamReader(services.streams, this, this.lastEventId);
    this.pipeline = new Pipeline(this.reader);
    this.#introduction = new Introduction(this.reader, settings);
    this.#outbox = new Outbox(this, settings);
    this.access = services.access.isUsed ? new ConnectionAccess(this, services.access) : undefined;
  }

  /** Counts among the open ones from now on. */
  register(): void {
    this.services.connections.add(this);
    this.services.heartbeat.add(this);
  }

  get isClosed(): boolean {
    return this.#state === 'closed';
  }

  get heartbeat(): number {
    return this.settings.heartbeat;
  }

  get slow(): SlowPolicy | undefined {
    return this.settings.slow;
  }

  get info(): ConnectionDetails {
    const { path, address } = this.exchange;
    const [connectedAt, channels] = [new Date(this.#connectedAt), this.reader.position.names];
    return { id: this.id, connectedAt, channels, path, address, ...this.access?.name };
  }

  get id(): string {
    return (this.#id ??= randomUUID());
  }

  get request(): object {
    return this.exchange.adaptedRequest;
  }

  subscribed(channel: string): void {
    this.access?.began(channel);
    // Who asks for the head alone streams nothing.
    if (!this.exchange.isHead) this.services.observers.began(channel, this);
  }

  unsubscribed(channel: string): void {
    if (!this.exchange.isHead) this.services.observers.ended(channel, this);
  }

  get isOpen(): boolean {
    return this.#state === 'open';
  }

  tell(type: string, data: object, id?: string): void {
    if (this.settings.plain) return;
    // It comes whether the client reads or not, so it counts among what may wait.
    this.#outbox.add((id === undefined ? '' : idLine(id)) + ownEvent(type, data), true);
  }

  isNamed(id: string): boolean {
    return this.#id === id;
  }

  streams(channel: string): boolean {
    return this.reader.position.names.includes(channel) || this.access?.isDeciding(channel) === true;
  }

  get gate(): ConnectionAccess | undefined {
    return this.access;
  }

  get method(): Sink['method'] {
    return this.pipeline.method;
  }

  get backPressure(): BackPressure {
    if (this.#outbox.isBlocked) return 'backed up';
    return this.#outbox.paused || this.#outgoing?.isWaiting === true ? 'full' : 'none';
  }

  get paused(): boolean {
    return this.backPressure !== 'none';
  }

  get takesPrefaces(): boolean {
    return !this.settings.plain;
  }

  /** Serves what comes out of the interceptors, to its end. */
  serve(outcome: Observable<unknown>): void {
    this.pipeline.subscribeOutcome(outcome, this);
    if (this.isClosed) this.pipeline.release();
  }

  /** Serves what a method returned, with nothing in between. Nest is done with the request when the head is sent. */
  serveDirectly(source: Observable<unknown>): void {
    if (this.isClosed) return;
    this.#isDirect = true;
    if (source instanceof ChannelStream) {
      this.#state = 'ready';
      this.#isOfHub = true;
      // Bytes that are made once for all clients can be used where only one channel makes the ids.
      const { channels, wants } = source.request;
      const [only] = channels;
      this.takesBatches = channels.length === 1 && !wants && this.reader.position.isAlone(only as string);
      this.pipeline.join(source.join(this.reader, this));
    } else {
      this.ready();
      this.pipeline.subscribeSource(source, this);
    }
    if (this.isClosed) this.pipeline.release();
  }

  /** The controller's method has resolved: the head can be sent when the positions are known. */
  ready(): void {
    if (this.#state === 'preparing') this.#state = 'ready';
    // Not at once: what fails in this turn still gets a real HTTP status.
    this.services.channels.queue.addNext(this);
  }

  next(value: unknown): void {
    // After an error nothing follows, although its source may not know of it yet.
    if (this.isClosed || this.#finish?.isForced === false) return;
    try {
      this.access?.checkArriving();
      if (this.#state === 'preparing' && typeof value === 'object' && value !== null && isOfHub(value))
        return this.#refuseAnswer();
      this.#outgoing ??= new Outgoing(this, this.reader, this.lastEventId, this.settings.numbered);
      this.#outgoing.add(value);
    } catch (error) {
      // A value that has no JSON form, for instance. It ends its own stream only.
      this.error(error);
    }
  }

  write(id: string, body: string | SharedText, isUnpaced: boolean): void {
    if (typeof body === 'string') this.#outbox.add(id + body, isUnpaced);
    else this.#outbox.addShared(id, body, isUnpaced);
  }

  settled(): void {
    this.#resume();
    this.filled();
  }

  shares(channel: string): void {
    if (sharing.has(this.settings)) return;
    sharing.add(this.settings);
    logger.warn(
      `Events of "${channel}" reach ${this.exchange.path} by a stream that is not its own, as through share(): a client that comes back does not get what it missed. Give each response a stream of its own.`,
    );
  }

  /** Resolves when the client may take more. For what is asked for value by value. */
  room(): Promise<void> {
    return new Promise((resolve) => {
      (this.#waiting ??= []).push(resolve);
    });
  }

  /** The client can take more. */
  #resume(): void {
    this.reader.resume();
    const waiting = this.#waiting;
    this.#waiting = undefined;
    for (const resolve of waiting ?? []) resolve();
  }

  error(error: unknown): void {
    if (this.isClosed) return;
    if (this.#state !== 'open' && this.#outbox.isEmpty && !this.head.isSent) {
      if (isOverLater(error)) return this.services.admission.turnAway(this);
      return this.fail(error);
    }
    if (isLogged(error)) logger.error(error);
    this.#failInStream(error);
  }

  #failInStream(error: unknown): void {
    this.#giveOut();
    // What waits for a Promise is not after the error: its position has not moved, and it comes again.
    this.#outgoing?.close();
    if (this.settings.plain) return this.disconnect(); // its client would take a clean end for the whole
    this.#outbox.add(errorEvent(error));
    this.#finish ??= { isForced: false };
    // It may be an event that could not be written: then its source does not know that it is over.
    this.pipeline.release();
  }

  /** Hands an error to the exception filters, in place of a stream. */
  fail(error: unknown): void {
    this.head.fail(error);
    this.close();
  }

  complete(): void {
    this.handedOn();
    this.#finish ??= { isForced: false };
    this.filled();
  }

  /** A cache, for instance: its events have no place in a channel of this response, and nobody was asked for them. */
  #refuseAnswer(): void {
    logger.error(
      `An interceptor has answered ${this.exchange.path} with events of the hub, without having called the handler. A cache does that: exclude the routes that stream.`,
    );
    this.#failInStream(new InternalServerErrorException());
  }

  /**
   * Ends the response after what was published before, whatever its Observable may still have to say.
   *
   * @param farewell the last event
   */
  end(retry?: number, farewell = ''): void {
    this.#finish = { retry, farewell: this.settings.plain ? '' : farewell, isForced: true };
    this.filled();
  }

  /** The response is over: it has ended, or its client has left. */
  left(): void {
    this.close();
    this.head.left();
  }

  /** Nothing is left behind. */
  close(): void {
    if (this.isClosed) return;
    this.#state = 'closed';
    // Before the teardown, as Nest does it: that often takes the listeners of the signal off.
    abortSignal(this.request);
    this.pipeline.release();
    this.#outgoing?.close();
    this.#outbox.close();
    this.reader.end();
    this.services.connections.delete(this);
    this.services.heartbeat.delete(this);
    this.access?.close();
    if (this.#isDirect) this.head.release();
  }

  batch(batch: Batch): void {
    this.#outbox.addBatch(batch);
  }

  makeRoom(): boolean {
    const isBackedUp = this.#outbox.isBlocked || this.#outgoing?.isWaiting === true;
    if (this.isOpen && !isBackedUp) {
      // Another channel may have waited for room, which is to read on when there is some.
      if (this.#outbox.paused) this.#readsOn = true;
      this.#outbox.flush();
      if (this.#readsOn) this.filled();
    }
    return !this.paused;
  }

  handedOn(): void {
    try {
      this.#outgoing?.handedOn();
    } catch (error) {
      this.error(error);
    }
  }

  /** What an Observable has emitted before it failed. Of several errors the first is told. */
  #giveOut(): void {
    try {
      this.#outgoing?.handedOn();
    } catch (error) {
      logger.error(error);
    }
  }

  moved(when: 'urgent' | 'lazy'): void {
    if (when === 'urgent' && this.isOpen) this.#tellMoved();
  }

  gap(cursor: Cursor, gap: Gap): void {
    const id = cursor.channel.hasHistory ? this.reader.position.tell() : undefined;
    const { plain } = this.settings;
    if (!plain) return this.tell('gap', gap, id);
    const body = this.#formed(gap);
    if (body === undefined) return this.disconnect(); // a clean end would be taken for the whole
    this.#outbox.add((id === undefined ? '' : idLine(id)) + body, true);
  }

  /** The event that the route makes of a gap, as text; undefined if it makes none. */
  #formed(gap: Gap): string | undefined {
    const { plain } = this.settings;
    if (typeof plain !== 'object') return undefined;
    try {
      const formed = plain.gap?.(gap);
      return formed && plainEvent(formed).body;
    } catch (error) {
      logger.error(error);
      return undefined;
    }
  }

  /** By policy: the client was too slow. It comes back and resumes. */
  disconnect(): void {
    this.exchange.response.destroy();
    this.close();
  }

  inContext(task: () => void): void {
    this.pipeline.inContext(task);
  }

  located(): void {
    const text = this.#introduction.located(this.isOpen);
    if (text) this.#outbox.add(text, true);
    this.filled();
  }

  begun(when: 'at once' | 'later'): void {
    // There is nothing left that could fail. What is done in one go leaves no garbage that grows old.
    if (this.#isOfHub && when === 'at once' && this.#state === 'ready') this.run();
  }

  beat(now: number): number {
    const { heartbeat } = this;
    if (this.#state !== 'open' || this.#outbox.isBlocked) return heartbeat / 8;
    const isLookDue = now - this.#lookedAt >= heartbeat;
    if (isLookDue) this.#lookedAt = now;
    if (isLookDue && this.#tellMoved()) return heartbeat;
    const silence = this.#outbox.silence(now);
    if (silence < heartbeat) return heartbeat - silence;
    this.#outbox.beat();
    return heartbeat;
  }

  filled(): void {
    if (this.#isDue || this.isClosed) return;
    this.#isDue = true;
    this.services.channels.queue.add(this);
  }

  run(): void {
    // Before it is open it takes another amount than afterwards.
    const hadNoRoom = this.#outbox.paused && !this.#outbox.isBlocked;
    if (this.#state !== 'open' && !this.#open()) return;
    // What was published before the end still goes out, although its channel's turn may come later.
    if (this.#readsOn || this.#finish?.isForced) this.#resume();
    this.#readsOn = this.#isDue = false;
    if (this.isClosed) return;
    const wasFull = this.#outbox.isFull || hadNoRoom;
    this.#outbox.flush();
    const isSaid = !wasFull && this.#outgoing?.isWaiting !== true;
    if (this.#finish && (this.#finish.isForced || isSaid)) this.#end(this.#finish);
    else if (wasFull) this.#readOn();
  }

  drained(): void {
    if (this.isClosed) return;
    this.#resume();
    if (this.#finish) this.filled();
  }

  overflowed(queued: number): void {
    logger.warn(
      `A client of ${this.exchange.path} does not read: ${queued} bytes wait for it, more than queuedBytes (${this.settings.queuedBytes}). It was disconnected.`,
    );
    this.disconnect();
  }

  /** Not in this turn: a long replay lets others in between. */
  #readOn(): void {
    this.#readsOn = this.#isDue = true;
    this.services.channels.queue.addNext(this);
  }

  /** Begins the response, if everything that its head says is known. */
  #open(): boolean {
    this.#isDue = false;
    if (this.isClosed || !this.#mayOpen()) return false;
    // An EventSource that gets 403 stays away; one that gets some of its channels is told of the others.
    const refusal = this.access?.refusal;
    const opening = this.#introduction.opening(this, this.#finish?.retry);
    try {
      if (refusal && !this.head.isSent) throw refusal;
      // One that is ended from outside has not said all: an operator may hold something.
      const isAllSaid = this.#finish?.isForced === false && this.#outgoing?.isWaiting !== true;
      const isOver = isAllSaid && this.#outbox.isEmpty && this.reader.isExhausted && !this.access?.hasDenied;
      if (isOver && !this.head.isSent) {
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
    this.#state = 'open';
    this.#introduction.opened();
    this.#outbox.open(new ResponseWriter(this.exchange));
    this.access?.opened();
    this.services.connections.opened(this);
    if (refusal) this.error(refusal);
    // Nest need not remember the request for as long as the stream goes on.
    if (this.#isDirect) this.head.release();
    if (this.exchange.isHead) this.#end({ isForced: false });
    return !this.isClosed;
  }

  #mayOpen(): boolean {
    if (this.#finish?.isForced) return true;
    const hasSomethingToSay = this.#state === 'ready' || this.#finish !== undefined || !this.#outbox.isEmpty;
    return hasSomethingToSay && !this.reader.isStarting;
  }

  /** Sends the client's position if it has moved past events that were not sent. */
  #tellMoved(): boolean {
    const { position } = this.reader;
    if (!position.hasMoved) return false;
    const id = position.tell();
    if (id !== undefined) this.#outbox.add(this.#introduction.position(id));
    return true;
  }

  #end({ retry, farewell = '' }: Finish): void {
    this.#tellMoved();
    const last = farewell + (retry === undefined ? '' : retryBlock(retry));
    if (last) this.#outbox.add(last);
    this.#outbox.flush(true);
    if (this.isClosed) return;
    this.close();
    this.head.end();
    this.exchange.finishWithin(this.settings.grace);
  }
}
