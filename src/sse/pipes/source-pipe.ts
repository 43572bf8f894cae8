import { Logger } from '@nestjs/common';
import { isObservable, type Observable } from 'rxjs';
import { delay } from '../delay.js';
import { SseError } from '../sse.errors.js';
import {
  booleanOf,
  checkObject,
  countOf,
  functionOf,
  invalid,
  millisecondsOf,
  optional,
} from '../validate.js';
import type { ChannelWriter } from '../publishing/channel-writer.js';
import type { SseWills } from '../cluster/wills.js';
import type { AnyEvents, EventMap, SseEventInput } from '../log/sse-event.js';
import { errorEvent, type StoredEvent } from '../log/stored-event.js';
import { abandoned, failureOf, lost, type FormLastEvent, type PipeFailure } from './pipe-failure.js';
import { LOOK_INTERVAL, OwnWill } from './pipe-will.js';
import { isSource, publishedObservable, type Source } from '../publishing/published-source.js';

/** Options of `hub.pipe()`. */
export interface PipeOptions<Inputs extends EventMap = AnyEvents> {
  /** Stops the source when it is aborted. */
  readonly signal?: AbortSignal;
  /** Whether the channel is completed at the end, however it ends. @defaultValue true */
  readonly complete?: boolean;
  /**
   * Forms the last event where the source does not come to its own end: any event of the channel, or one of the type
   * `error`; `undefined` for none. It is synchronous. If it throws, or the event could not be published, the fault is
   * logged and the default event is published.
   *
   * It is also called once at the start, with the reason `lost`: another instance publishes that event if this process
   * is killed.
   * @defaultValue an event of the type `error` with the failure's `message` as data
   */
  readonly error?: FormLastEvent<Inputs>;
  /**
   * Stops the source when nobody listens any more, on any instance: milliseconds between two counts of the channel's
   * subscribers, of which two in a row were zero. At least 1. @defaultValue never
   */
  readonly abandonAfter?: number;
  /**
   * Items of an Observable that may wait to be published, as it cannot be paused; one more fails it with
   * `SOURCE_TOO_FAST`. @defaultValue 10_000
   */
  readonly maxPending?: number;
}

/**
 * The source of a pipe, or a function that begins it. The function's `signal` is aborted when the pipe is over, for whatever
 * reason: pass it to what the source waits for.
 */
export type PipeSource<T> =
  AsyncIterable<T> | Observable<T> | ((signal: AbortSignal) => AsyncIterable<T> | Observable<T>);

const noSource = (): SseError =>
  new SseError(
    'INVALID_OPTIONS',
    'hub.pipe() takes an async iterable or an Observable of events, or a function that gives one.',
  );

const logger = new Logger('SseHub');

/** One source on its way into a channel. */
export class SourcePipe {
  readonly will: OwnWill;
  readonly #over = new AbortController();
  #published = 0;
  #stopped: PipeFailure | undefined;
  #reject: ((reason: unknown) => void) | undefined;
  /** Resolves when the will is stored. Nothing is published before. */
  #willLeft: Promise<void> | undefined;

  /**
   * @param countListeners of the channel, on all instances
   * @throws SseError `INVALID_OPTIONS`
   */
  constructor(
    private readonly channel: string,
    private readonly source: PipeSource<SseEventInput>,
    private readonly options: PipeOptions,
    private readonly writer: ChannelWriter,
    wills: SseWills,
    private readonly countListeners: () => Promise<number>,
  ) {
    if (typeof source !== 'function' && !isSource(source)) throw noSource();
    checkOptions(options);
    this.will = new OwnWill({ channel, last: undefined, complete: options.complete ?? true }, wills, writer);
  }

  /**
   * Publishes what the source gives, and then tells listeners the end.
   *
   * @param owe is called when listeners could not be told how it ended; then the will is still to be carried out
   * @returns how many events were published, if the source has come to its end
   */
  async run(owe: () => void): Promise<number> {
    const { signal } = this.options;
    const abort = (): void => this.stop('stopped', signal?.reason);
    let closeSource: (() => void) | undefined;
    let failure: PipeFailure | undefined;
    signal?.addEventListener('abort', abort);
    try {
      await new Promise<void>((resolve, reject) => {
        this.#reject = reject;
        if (signal?.aborted) return abort();
        this.#willLeft = this.will.leave(this.#lastEvent(failureOf('lost', lost(this.channel))));
        this.#willLeft.catch(reject);
        closeSource = this.#open(this.#opened(), resolve, reject);
        void Promise.allSettled([this.#watchWill(), this.#watchListeners()]);
      });
    } catch (error) {
      failure = this.#stopped ?? failureOf('failed', error);
      this.#over.abort(failure.error);
      closeSource?.();
    }
    this.#over.abort();
    signal?.removeEventListener('abort', abort);
    try {
      await this.will.endWith(failure && (await this.#lastEvent(failure)));
    } catch (error) {
      owe();
      // The caller learns the error that ended the source, if there is one: mostly it is the cause of this one.
      failure ??= failureOf('failed', error);
    }
    if (failure) throw failure.error;
    return this.#published;
  }

  /** Stops the source. `run()` rejects with the error. */
  stop(reason: PipeFailure['reason'], error: unknown): void {
    this.#stopped ??= failureOf(reason, error);
    this.#reject?.(error);
  }

  /** The source: one that is a function is called now, with a signal that is aborted when the pipe is over. */
  #opened(): Source<SseEventInput> {
    const { source } = this;
    if (typeof source !== 'function') return source;
    const opened = source(this.#over.signal);
    if (!isSource(opened)) throw noSource();
    return opened;
  }

  /** @returns closes the source */
  #open(source: Source<SseEventInput>, resolve: () => void, reject: (error: unknown) => void): () => void {
    if (isObservable(source)) {
      const { maxPending } = this.options;
      const published = publishedObservable(source, (event) => this.#publish(event), maxPending);
      const subscription = published.subscribe({ complete: resolve, error: reject });
      return () => subscription.unsubscribe();
    }
    const iterator = source[Symbol.asyncIterator]();
    this.#pull(iterator).then(resolve, reject);
    // A generator that awaits something returns only after that, so it is not waited for.
    const close = async (): Promise<unknown> => iterator.return?.();
    return () => void close().catch(() => undefined);
  }

  async #pull(iterator: AsyncIterator<SseEventInput, unknown>): Promise<void> {
    while (!this.#stopped) {
      const result = await iterator.next();
      if (result.done || this.#stopped) return;
      await this.#publish(result.value);
    }
  }

  async #publish(event: SseEventInput): Promise<void> {
    await this.#willLeft;
    await this.writer.publish(this.channel, event);
    this.#published++;
  }

  /** The event that tells listeners of a failure; undefined for none. A fault of the option `error` is logged. */
  async #lastEvent(failure: PipeFailure): Promise<StoredEvent | undefined> {
    const { reason, message } = failure;
    const { channel, options, writer } = this;
    if (!options.error) return errorEvent(message);
    try {
      const event = options.error(failure);
      return event && (await writer.lastEvent(channel, event));
    } catch (error) {
      const what = `The option "error" of hub.pipe() gives no event for "${channel}" (${reason}); listeners are told "${message}".`;
      logger.error(what, error instanceof Error ? error.stack : String(error));
      return errorEvent(message);
    }
  }

  /** Rejects when the pipe ends. */
  async #watchWill(): Promise<void> {
    const { signal } = this.#over;
    for (;;) {
      await delay(LOOK_INTERVAL, signal);
      // Without an answer the next look may have one.
      const will = await this.will.confirm().catch(() => 'kept');
      if (will === 'lost') this.stop('lost', lost(this.channel));
    }
  }

  /** Rejects when the pipe ends. */
  async #watchListeners(): Promise<void> {
    const { signal } = this.#over;
    const { abandonAfter } = this.options;
    if (abandonAfter === undefined) return;
    for (let zeros = 0; zeros < 2;) {
      await delay(abandonAfter, signal);
      // An instance that cannot be asked may have listeners.
      const count = await this.countListeners().catch(() => 1);
      zeros = count === 0 ? zeros + 1 : 0;
    }
    this.stop('abandoned', abandoned(abandonAfter));
  }
}

function checkOptions(options: PipeOptions): void {
  checkObject(options, ['signal', 'complete', 'error', 'abandonAfter', 'maxPending'], 'hub.pipe()');
  const { signal, complete, error, abandonAfter, maxPending } = options;
  optional(booleanOf, 'complete', complete);
  if (error !== undefined) functionOf('error', error, 'a function that forms the last event');
  if (maxPending !== undefined) countOf('maxPending', maxPending, 1);
  if (abandonAfter !== undefined) millisecondsOf('abandonAfter', abandonAfter, 1);
  if (signal !== undefined && !(signal instanceof AbortSignal))
    invalid('signal', signal, 'the signal of an AbortController');
}
