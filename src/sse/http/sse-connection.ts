import { randomUUID } from 'node:crypto';
import { InternalServerErrorException, IntrinsicException, Logger, type HttpException } from '@nestjs/common';
import type { Observable, Unsubscribable } from 'rxjs';
import type { RunQueue, Task } from '../channels/run-queue.js';
import { originOf } from '../log/published-event.js';
import type { Gap } from '../log/sse-event.js';
import { retryBlock, type SharedText } from '../protocol/event-stream.js';
import type { EndReason, RefusingLimit } from '../diagnostics/messages.js';
import { parseLastEventId, type LastEventId } from '../protocol/position.js';
import { errorMessage } from '../error-message.js';
import { sparseLine } from '../sparse-log.js';
import { SseError, type SseErrorCode } from '../sse.errors.js';
import type { SlowPolicy } from '../sse.options.js';
import type { ChannelGate } from '../streams/channel-gate.js';
import { ChannelStream } from '../streams/channel-stream.js';
import { isOfHub } from '../streams/client-position.js';
import { currentCursor, type Cursor } from '../streams/cursor.js';
import type { BackPressure, Sink } from '../streams/sink.js';
import { FullIds } from '../streams/full-ids.js';
import { OwnIds } from '../streams/own-ids.js';
import { StreamReader } from '../streams/stream-reader.js';
import type { Streams } from '../streams/streams.js';
import { isObject } from '../values.js';
import type { Admission } from './admission.js';
import { NO_PARTS, type ConnectionPart } from './connection-part.js';
import type { ConnectionDetails, StreamPosition } from '../connection-details.js';
import type { Connections } from './connections.js';
import type { Exchange } from './exchange.js';
import type { Identity } from './identity.js';
import { Outbox } from './outbox.js';
import { Outgoing } from './outgoing.js';
import { Pipeline } from './pipeline.js';
import { errorText, gapText, lastText, ownEvent } from './event-body.js';
import { Introduction, positionText, type ContentCoding, type ResponseHead } from './response-head.js';
import { ResponseWriter } from './response-writer.js';
import { abortSignal } from './signal.js';
import type { StreamFailure } from './sse-route.metadata.js';
import type { ConnectionSettings } from './sse-server.js';

const logger = new Logger('SseConnection');

/** Errors that may be over when the client comes back. */
const PASSING: ReadonlySet<SseErrorCode> = new Set(['HUB_FULL', 'BACKPLANE_AWAY']);

const GAP_MESSAGE = 'A part of the stream is not kept any more.';

/** How a response ends. One that is not open yet has to open first. */
interface Ending {
  /**
   * - `finished`: its Observable has completed or failed. All that it emitted goes out first.
   * - `forced`: it ends from outside, with what was published by now, whatever its Observable may still have to say.
   * - `cut`: as `forced`, of a `plain` stream whose client would take a clean end for the end. It becomes `forced` when its
   *   Observable completes or fails before that.
   */
  readonly how: 'finished' | 'forced' | 'cut';
  readonly reason: EndReason;
  /** Milliseconds after which the client is to come back. */
  readonly retry?: number | undefined;
  /** The last event; empty for none. */
  readonly farewell?: string;
}

/**
 * One response, from its request to its end: what its Observable emits goes out as an event stream.
 *
 * ```
 * preparing ──► ready ──► open ──► closed
 *     └─────────────────►──┘
 * ```
 *
 * - `preparing`: `identify` and the method are running. An error is an HTTP error. It goes straight to `open` if an
 *   interceptor emits before the method has returned, or if its end is decided, as for a client that is turned away.
 * - `ready`: the method has returned its stream. The head waits until the positions of the channels are known. An error is
 *   an HTTP error as long as nothing was emitted.
 * - `open`: the head is sent. From here on an error can only be told in the stream.
 * - `closed`: nothing is written or held any more. Also reached at once, from every state: the client leaves, is
 *   disconnected, or gets an HTTP answer in place of the stream (`fail()`, 204).
 *
 * Its end may be decided in each state but the last, see {@link Ending}. A later `end()` replaces that decision, a later
 * `complete()` or `error()` does not.
 *
 * The calls in the life of a response, in their order:
 *
 * 1. `SseServer` makes it, and `Admission` lets it in, `register()`, or turns it away, `end()` or `fail()`.
 * 2. `identified()`: the features get their part in it (connection-part.ts). Then the method runs.
 * 3. `serveDirectly()` feeds it with what the method returned, or `serve()` with what interceptors make of that.
 * 4. The stream asks the gate, its reader opens the channels, and tells it of the start: `positionsKnown()`, `allStarted()`.
 * 5. `write()` or `next()` brings an event, from the start on. A value of `next()` becomes text and a position in outgoing.ts.
 * 6. `run()`, mostly in the run queue, opens the response, and writes what was gathered since the last time.
 * 7. `complete()`, `error()` or `end()` begins the end, `run()` brings it about, and `close()` gives everything back.
 *
 * Read next: stream-reader.ts for what feeds it, outgoing.ts and outbox.ts for what becomes of that.
 */
export class SseConnection implements Sink, Task {
  readonly reader: StreamReader;
  /** When it was made, before it was let in: `performance.now()`. */
  readonly beganAt = performance.now();
  /** The user that it belongs to, as `identify` says; undefined for an unknown one, and until that is known. */
  identity: Identity | undefined;
  #state: 'preparing' | 'ready' | 'open' | 'closed' = 'preparing';
  /** There once its end is decided; the state goes on to say how far the response has come. */
  #ending: Ending | undefined;
  /**
   * How it is fed: with what comes out of interceptors, with what its method returned, with a stream of the hub as it
   * is, or with the bytes of such a stream. Bytes are the same for all clients: the response has one channel and no filter.
   */
  #feed: 'intercepted' | 'returned' | 'hub' | 'batched' = 'intercepted';
  /** Its task in the run queue: `read` resumes the reader before it writes. */
  #due: 'nothing' | 'write' | 'read' = 'nothing';
  /** The reason for which its Observable completes, if it does: `revoked` once it has lost the last of its channels. */
  #completion: 'completed' | 'revoked' = 'completed';
  #parts = NO_PARTS;
  readonly #connectedAt = Date.now();
  /** Made when somebody asks for it: most are never asked. */
  #id: string | undefined;
  readonly #queue: RunQueue;
  /** Undefined once its client has it. */
  #introduction: Introduction | undefined;
  /** Made when it is asked for: a stream of the hub as it is needs none. */
  #pipeline: Pipeline | undefined;
  /** The stream of the hub that feeds it, with nothing in between. */
  #joined: Unsubscribable | undefined;
  readonly #outbox: Outbox;
  /** Made for the first value: batches need none. */
  #outgoing: Outgoing | undefined;
  /** Callbacks of those who wait for room. */
  #waiting: (() => void)[] | undefined;

  constructor(
    readonly exchange: Exchange,
    private readonly head: ResponseHead,
    readonly settings: ConnectionSettings,
    streams: Streams,
    private readonly connections: Connections,
    private readonly admission: Admission,
  ) {
    this.#queue = streams.channels.queue;
    // Nest sends the head of a stock route, and does not say there which form its ids have.
    const Ids = settings.route === 'own' && exchange.idForm === 'own' ? OwnIds : FullIds;
    this.reader = new StreamReader(streams, this, new Ids(parseLastEventId(exchange.lastEventId)));
    this.#introduction = new Introduction(this);
    this.#outbox = new Outbox(this, this.#queue);
  }

  get pipeline(): Pipeline {
    return (this.#pipeline ??= new Pipeline(this.reader));
  }

  get id(): string {
    return (this.#id ??= randomUUID());
  }

  /** The position that the client came with. */
  get lastEventId(): LastEventId {
    return this.reader.position.brought;
  }

  /** The request, as the adapter has it. */
  get request(): object {
    return this.exchange.adaptedRequest;
  }

  get info(): ConnectionDetails {
    const { identity } = this;
    const { path, address } = this.exchange;
    const connectedAt = new Date(this.#connectedAt);
    const channels = this.reader.position.names;
    return { id: this.id, connectedAt, channels, path, address, ...(identity && { user: identity.user }) };
  }

  get positions(): StreamPosition[] {
    const isResumed = this.lastEventId.kind !== 'none';
    const way = this.#isOfHub ? 'direct' : 'operators';
    return this.reader.position.cursors.map((cursor) => ({ ...cursor.progress, isResumed, way }));
  }

  /** How far the response has come: see {@link SseConnection}. */
  get state(): 'preparing' | 'ready' | 'open' | 'closed' {
    return this.#state;
  }

  /** Bytes on their way to its client that the system has not taken yet, about: those that wait here, and in the socket. */
  get waitingBytes(): number {
    return this.#outbox.waitingBytes;
  }

  /** Compares without making an id for a connection that has none yet. */
  hasId(id: string): boolean {
    return this.#id === id;
  }

  /** Whether it has a channel, or waits for the decision whether it may have it. */
  hasOrAwaits(channel: string): boolean {
    if (this.reader.position.names.includes(channel)) return true;
    return this.#parts.some((part) => part.isDeciding?.(channel));
  }

  // ---- Its state

  /** Whether the head is sent. */
  get isOpen(): boolean {
    return this.#state === 'open';
  }

  get isClosed(): boolean {
    return this.#state === 'closed';
  }

  // ---- From its request to its stream

  /** It is let in: it counts among the open connections from now on. */
  register(): void {
    this.connections.add(this);
  }

  /** It is turned away, for a limit. */
  refused(limit: RefusingLimit): void {
    const { path } = this.exchange;
    this.connections.diagnostics.refused(path, limit);
    // Not at the end of the application, which turns everybody away.
    if (limit === 'shutdown') return;
    const line = `Clients are turned away, as limits.${limit} is reached; the last one of ${path}.`;
    this.connections.log.add(limit, (leftOut) => logger.warn(sparseLine(line, leftOut, { limit, path })));
  }

  /** It is known who it belongs to. */
  identified(identity: Identity | undefined): void {
    this.identity = identity;
    this.#parts = this.connections.features.partsOf(this);
  }

  /** Adds a part that is made by the method of the route. It comes before the others. */
  add(part: ConnectionPart): void {
    this.#parts = [part, ...this.#parts];
  }

  /** Serves what comes out of the interceptors, to its end. */
  serve(outcome: Observable<unknown>): void {
    this.pipeline.subscribeOutcome(outcome, this);
    if (this.isClosed) this.#releaseSource();
  }

  /** Serves what the method returned, with nothing in between. Nest is done with the request when the head is sent. */
  serveDirectly(source: Observable<unknown>): void {
    if (this.isClosed) return;
    if (source instanceof ChannelStream) {
      const { channels, filter } = source.request;
      const [only] = channels;
      const isAlone = channels.length === 1 && !filter;
      this.#feed = isAlone && this.reader.position.hasBareIds(only as string) ? 'batched' : 'hub';
      this.#state = 'ready';
      // The start may end the response, and so the stream: it has to be known by then.
      this.reader.startAfter(() => {
        this.#joined = source.join(this.reader, this);
      });
    } else {
      this.#feed = 'returned';
      this.ready();
      this.pipeline.subscribeSource(source, this);
    }
    if (this.isClosed) this.#releaseSource();
  }

  /** The method has resolved: the head can be sent when the positions are known. */
  ready(): void {
    if (this.#state === 'preparing') this.#state = 'ready';
    // Not at once: what fails in this turn still gets a real HTTP status.
    this.#queue.addNext(this);
  }

  // ---- What its reader asks it, and tells it

  get gate(): ChannelGate | undefined {
    return this.#parts.find((part) => part.gate)?.gate;
  }

  get slow(): SlowPolicy | undefined {
    return this.settings.slow;
  }

  /** Whether a hub stream feeds it, with nothing in between. */
  get #isOfHub(): boolean {
    return this.#feed === 'hub' || this.#feed === 'batched';
  }

  get takesBatches(): boolean {
    return this.#feed === 'batched';
  }

  get takesPrefaces(): boolean {
    return !this.settings.plain;
  }

  get method(): Sink['method'] {
    return this.#pipeline?.method ?? 'running';
  }

  get backPressure(): BackPressure {
    const { backPressure } = this.#outbox;
    return backPressure === 'none' && this.#isAwaiting ? 'full' : backPressure;
  }

  flushForRoom(): boolean {
    const { backPressure } = this.#outbox;
    if (this.isOpen && backPressure !== 'backed up' && !this.#isAwaiting) {
      this.#outbox.flush();
      // The full outbox may have stopped another channel, which reads on now.
      if (backPressure === 'full') this.#readOn('in this turn');
    }
    return this.backPressure === 'none';
  }

  inContext(task: () => void): void {
    if (this.#pipeline) this.#pipeline.inContext(task);
    else task();
  }

  subscribed(channel: string): void {
    for (const part of this.#parts) part.began?.(channel);
    // A request for the head alone streams nothing.
    if (this.exchange.isHead) return;
    this.#completion = 'completed';
    this.connections.features.began(channel, this);
    this.connections.diagnostics.streamBegan(this, channel);
  }

  unsubscribed(channel: string): void {
    if (this.exchange.isHead) return;
    this.connections.features.ended(channel, this);
    this.connections.diagnostics.streamEnded(this, channel);
  }

  positionsKnown(): void {
    for (const part of this.#parts) part.positionsKnown?.();
    // A stream may come late: the position in its channel is new to the client.
    const text =
      this.#introduction?.positionsKnown() ?? positionText(this.reader.position.takeId(), this.settings);
    if (text) this.#outbox.add(text, undefined, 'unpaced');
    this.scheduleRun();
  }

  allStarted(when: 'at once' | 'later'): void {
    // Nothing can fail any more, so it opens now and not in the run queue: what is allocated in the turn of the request dies young.
    if (this.#isOfHub && when === 'at once' && this.#state === 'ready') this.run();
  }

  write(shared: SharedText): void {
    this.#outbox.addShared(shared);
  }

  eventEmitted(): void {
    try {
      this.#outgoing?.eventEmitted();
    } catch (error) {
      this.error(error);
    }
  }

  moved(when: 'urgent' | 'lazy'): void {
    if (when === 'urgent' && this.isOpen) this.#tellMoved();
  }

  gap(cursor: Cursor, gap: Gap): void {
    this.connections.diagnostics.gap(this, gap);
    const id = this.reader.position.idAt(cursor);
    const body = gapText(gap, this.settings.plain);
    if (body === undefined) return this.#endShort({ reason: 'gap', message: GAP_MESSAGE });
    this.#outbox.add(body, id, 'unpaced');
    // At the start of a stream the features are told that it began, which says all.
    if (cursor.isAnnounced) this.connections.features.missed(cursor.channel.name, this);
  }

  /** Cuts the connection, so that its client does not take what it has for the whole, and comes back. */
  disconnect(reason: EndReason = 'slow'): void {
    this.exchange.response.destroy();
    this.close(reason);
  }

  // ---- What its Observable emits

  next(value: unknown): void {
    // After an error nothing follows, although its source may not know of it yet.
    if (this.isClosed || this.#ending?.how === 'finished') return;
    try {
      const cursor = currentCursor();
      const isForeign = cursor !== undefined && cursor.reader !== this.reader;
      if (isForeign) this.#foreignValue(cursor, value);
      if (this.#state === 'preparing' && isObject(value) && isOfHub(value)) return this.#refuseCached();
      this.#outgoing ??= new Outgoing(this, this.#outbox);
      this.#outgoing.add(value, isForeign ? undefined : cursor);
    } catch (error) {
      // A value that has no JSON form, for instance. It ends its own stream only.
      this.error(error);
    }
  }

  error(error: unknown): void {
    if (this.isClosed) return;
    if (!this.isOpen && this.#outbox.isEmpty && !this.exchange.isHeadSent) {
      // The error may be over when the client comes back, and an EventSource that gets an error status never does.
      if (error instanceof SseError && PASSING.has(error.code)) return this.admission.turnAway(this);
      return this.fail(error);
    }
    // An IntrinsicException of Nest asks for silence.
    if (!(error instanceof IntrinsicException)) logger.error(error);
    this.#failInStream(error);
  }

  complete(): void {
    this.eventEmitted();
    this.#finish(this.#completion);
    this.scheduleRun();
  }

  /** Hands an error to the exception filters, in place of a stream. */
  fail(error: unknown): void {
    this.head.fail(error);
    this.close('refused');
  }

  #failInStream(error: unknown): void {
    // The events that an Observable has emitted before it failed still go out. Of several errors the first is told.
    try {
      this.#outgoing?.eventEmitted();
    } catch (another) {
      logger.error(another);
    }
    // A value that is still awaited is dropped: its position has not moved, so the client gets it again.
    this.#outgoing?.close();
    if (this.settings.plain) return this.#endShort({ reason: 'failed', message: errorMessage(error) });
    this.#endWith(errorText(error), 'failed');
  }

  /** Ends a `plain` stream that cannot be given to its end: its client would take a clean end for the end. */
  #endShort(failure: StreamFailure): void {
    const last = lastText(failure, this.settings.plain);
    if (last === undefined) this.disconnect(failure.reason);
    else this.#endWith(last, failure.reason);
  }

  #endWith(last: string, reason: EndReason): void {
    this.#outbox.add(last);
    this.#finish(reason);
    // It may be an event that could not be written: then its source does not know that it is over.
    this.#releaseSource();
    this.scheduleRun();
  }

  /** Looks at a value that comes by a cursor of another response, or of none: its stream is shared. */
  #foreignValue(cursor: Cursor, value: unknown): void {
    for (const part of this.#parts) part.foreignValue?.(cursor);
    const { name } = cursor.channel;
    const { warned } = this.settings;
    if (warned.has('shared') || this.reader.position.of(name)) return;
    if (!isObject(value) || originOf(value)?.channel !== name) return;
    warned.add('shared');
    logger.warn(
      `Events of "${name}" reach ${this.exchange.path} by a stream that is not its own, as through share(): a client that comes back does not get what it missed. Give each response a stream of its own.`,
    );
  }

  /** A cache, for instance: its events have no place in a channel of this response, and no gate was asked for them. */
  #refuseCached(): void {
    const { path } = this.exchange;
    this.connections.log.add('cached', (leftOut) =>
      logger.error(
        sparseLine(
          `An interceptor has answered ${path} with events of the hub, without having called the handler. A cache does that: exclude the routes that stream.`,
          leftOut,
          { path },
        ),
      ),
    );
    this.#failInStream(new InternalServerErrorException());
  }

  // ---- Back-pressure

  /** A Promise is awaited, and what comes after it waits. */
  get #isAwaiting(): boolean {
    return this.#outgoing?.isWaiting === true;
  }

  /** Resolves when the client may take more: for async iterables, which are asked for one value at a time. */
  room(): Promise<void> {
    return new Promise((resolve) => {
      (this.#waiting ??= []).push(resolve);
    });
  }

  /** The client does not take what was written. */
  backedUp(): void {
    this.connections.diagnostics.backedUp(this);
  }

  /** The client can take more: it has taken what was written, or no Promise is awaited any more. */
  drained(): void {
    if (this.isClosed) return;
    this.#resume();
    if (this.#ending) this.scheduleRun();
  }

  /** More waits than may, of a source that cannot be paused. @param fault says of what, and how much */
  overflowed(fault: string): void {
    const { path } = this.exchange;
    this.connections.log.add('overflow', (leftOut) =>
      logger.warn(sparseLine(`A client of ${path} ${fault}. It was disconnected.`, leftOut, { path })),
    );
    this.disconnect('overflow');
  }

  #resume(): void {
    this.reader.resume();
    const waiting = this.#waiting;
    this.#waiting = undefined;
    for (const resolve of waiting ?? []) resolve();
  }

  // ---- What it writes

  /**
   * Its client does not get a channel, or has lost it.
   *
   * @param telling `at the opening`: a part tells its client among the first events
   */
  denied(channel: string, reason: string, telling: 'now' | 'at the opening'): void {
    this.connections.diagnostics.denied(this, channel, reason);
    const { names } = this.reader.position;
    if (telling === 'at the opening') return;
    this.#completion = names.every((name) => name === channel) ? 'revoked' : 'completed';
    this.tell('denied', { channel, reason });
  }

  /** Sends an event of this package, which belongs to no channel's log. */
  tell(type: string, data: object): void {
    if (this.settings.plain) return this.disconnect('revoked'); // without the channel its stream would end cleanly
    this.tellText(ownEvent(type, data));
  }

  /** Sends the text of such an event, which many clients may share. */
  tellText(text: string | SharedText): void {
    if (this.settings.plain) return;
    // It comes whether the client reads or not, so it counts against `queuedBytes`.
    this.#outbox.add(text, undefined, 'unpaced');
  }

  /** There is something to write, or the end has come. */
  scheduleRun(): void {
    if (this.#due !== 'nothing' || this.isClosed) return;
    this.#due = 'write';
    this.#queue.add(this);
  }

  run(): void {
    // #open() changes the limit of the outbox, from queuedBytes to one write: this looks before and after it.
    const before = this.#outbox.backPressure;
    if (!this.isOpen && !this.#open()) return;
    // Events that were published before the end still go out, although their channel's turn may come later.
    const isForced = this.#isForced;
    if (this.#due === 'read' || isForced) this.#resume();
    this.#due = 'nothing';
    if (this.isClosed) return;
    const wasFull = before === 'full' || this.#outbox.backPressure === 'full';
    this.#outbox.flush();
    const ending = this.#ending;
    if (ending && (isForced || (!wasFull && !this.#isAwaiting))) this.#end(ending);
    else if (wasFull) this.#readOn('in the next turn');
  }

  /** Milliseconds of silence after which a heartbeat is due; 0 for none. */
  get heartbeat(): number {
    return this.settings.heartbeat;
  }

  /**
   * Breaks a silence that was too long.
   *
   * @param now `performance.now()`
   * @returns milliseconds after which it is to be called again
   */
  beat(now: number): number {
    const { heartbeat } = this;
    if (!this.isOpen || this.#outbox.backPressure === 'backed up') return heartbeat / 8;
    if (this.#tellMoved()) return heartbeat;
    const silence = this.#outbox.silence(now);
    if (silence < heartbeat) return heartbeat - silence;
    this.#outbox.beat(now);
    return heartbeat;
  }

  /** Lets the channels read on. A long replay does so in the next turn, so that others get in between. */
  #readOn(when: 'in this turn' | 'in the next turn'): void {
    if (this.isClosed) return;
    if (this.#due === 'nothing') {
      if (when === 'in this turn') this.#queue.add(this);
      else this.#queue.addNext(this);
    }
    this.#due = 'read';
  }

  /** Sends the client's position if it has moved past events that were not sent. */
  #tellMoved(): boolean {
    const { position } = this.reader;
    const id = position.hasMoved ? position.takeId() : undefined;
    if (id === undefined) return false;
    this.#outbox.add(positionText(id, this.settings));
    return true;
  }

  /** Begins the response, if everything that its head says is known. */
  #open(): boolean {
    this.#due = 'nothing';
    if (this.isClosed || !this.#mayOpen()) return false;
    const retry = this.#ending?.retry;
    // An EventSource that gets an error status stays away; one that gets some of its channels is told of the others.
    let refusal: HttpException | null | undefined;
    let firstEvents = '';
    for (const part of this.#parts) {
      if (refusal === undefined) refusal = part.refusal?.();
      firstEvents += part.firstEvents?.() ?? '';
    }
    const opening = this.#introduction?.opening(retry) ?? '';
    const coding = this.#coding;
    let writer: ResponseWriter | undefined;
    try {
      if (refusal && !this.exchange.isHeadSent) throw refusal;
      if (firstEvents === '' && this.#hasNothingToSay && !this.exchange.isHeadSent) {
        this.close('completed');
        this.head.stayAway();
        return false;
      }
      const text = retry !== undefined || this.settings.plain ? opening : opening + firstEvents;
      writer = this.exchange.inOnePacket(() => this.#begin(text, coding));
      if (!writer) {
        // A stock route: Nest has not sent the head yet, and nothing tells when it has.
        setTimeout(() => this.scheduleRun(), 1);
        return false;
      }
    } catch (error) {
      this.fail(error); // Node checks the values of headers only now.
      return false;
    }
    this.#state = 'open';
    this.#introduction = this.#introduction?.opened(opening);
    this.#outbox.open(writer);
    this.connections.opened(this);
    if (refusal) this.error(refusal);
    // Nest need not remember the request for as long as the stream goes on.
    if (this.#feed !== 'intercepted') this.head.release();
    if (this.exchange.isHead) this.#end({ reason: 'completed' });
    return !this.isClosed;
  }

  /** Sends the head, and the first text. @returns undefined if Nest has not sent the head yet */
  #begin(text: string, coding: ContentCoding | undefined): ResponseWriter | undefined {
    if (!this.head.send(coding)) return undefined;
    const writer = ResponseWriter.of(this.exchange, coding);
    writer.begin(text);
    return writer;
  }

  /** The coding of its content; undefined where it is never compressed, as on a stock route, whose head Nest sends. */
  get #coding(): ContentCoding | undefined {
    const { compress, compressAll, route } = this.settings;
    const { cursors } = this.reader.position;
    const isAsked =
      cursors.length > 0 ? cursors.every(({ channel }) => channel.settings.compress) : compressAll;
    if (route === 'stock' || !(compress ?? isAsked)) return undefined;
    return this.exchange.takesGzip ? 'gzip' : 'identity';
  }

  #mayOpen(): boolean {
    if (this.#isForced) return true;
    const hasCause = this.#state !== 'preparing' || this.#ending !== undefined || !this.#outbox.isEmpty;
    return hasCause && !this.reader.isStarting;
  }

  /** Whether the client has all there will ever be. Not known at a forced end: more might have come. */
  get #hasNothingToSay(): boolean {
    const isFinished = this.#ending?.how === 'finished' && !this.#isAwaiting;
    return isFinished && this.#outbox.isEmpty && this.reader.isExhausted;
  }

  // ---- Its end

  /**
   * Ends the response after what was published before, whatever its Observable may still have to say.
   *
   * @param retry milliseconds after which the client shall come back
   * @param farewell the last event
   */
  end(reason: EndReason, retry?: number, farewell = ''): void {
    if (this.isClosed) return;
    if (!this.settings.plain) this.#ending = { how: 'forced', reason, retry, farewell };
    else if (!this.isOpen && !this.exchange.isHeadSent) return this.admission.turnAway(this);
    else this.#ending = { how: this.#ending && this.#ending.how !== 'cut' ? 'forced' : 'cut', reason };
    this.scheduleRun();
  }

  /** Whether it ends whatever its Observable may still have to say. */
  get #isForced(): boolean {
    return this.#ending !== undefined && this.#ending.how !== 'finished';
  }

  /** The Observable has nothing more to say. */
  #finish(reason: EndReason): void {
    if (this.#ending?.how === 'cut') this.#ending = { ...this.#ending, how: 'forced' };
    this.#ending ??= { how: 'finished', reason };
  }

  /** Whether a clean end would hide from the client of a `plain` stream that more was to come. */
  #isCut(how: Ending['how'] | undefined): boolean {
    return how === 'cut' || (how === 'forced' && this.settings.plain !== false && this.#isAwaiting);
  }

  #end({ how, reason, retry, farewell = '' }: Partial<Ending> & Pick<Ending, 'reason'>): void {
    if (this.#isCut(how)) return this.disconnect(reason);
    this.#tellMoved();
    const last = farewell + (retry === undefined ? '' : retryBlock(retry));
    if (last) this.#outbox.add(last);
    this.#outbox.flushAll();
    if (this.isClosed) return;
    this.#outbox.finish();
    this.close(reason);
    this.head.end();
    this.exchange.finishWithin(this.settings.grace);
  }

  /** The response is over: it has ended, or its client has left. */
  over(): void {
    this.close('client');
    this.head.left();
  }

  #releaseSource(): void {
    this.#pipeline?.release();
    this.#joined?.unsubscribe();
    this.#joined = undefined;
  }

  /** Gives back all that the response holds. */
  close(reason: EndReason): void {
    if (this.isClosed) return;
    this.#state = 'closed';
    // First of all, so that its channels and positions can still be looked up.
    if (this.connections.delete(this)) this.connections.diagnostics.ended(this, reason);
    // Before the teardown, as Nest does it: that often takes the listeners of the signal off.
    abortSignal(this.request);
    this.#releaseSource();
    this.#outgoing?.close();
    this.#outbox.close();
    this.reader.end();
    for (const part of this.#parts) part.closed?.();
    if (this.#feed !== 'intercepted') this.head.release();
  }
}
