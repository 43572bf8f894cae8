import { isObservable } from 'rxjs';
import { SseError } from '../../sse.errors.js';
import { checkObject, countOf, millisecondsOf, oneOf } from '../../sse.settings.js';
import type { ChannelWriter } from '../channel-writer.js';
import { errorMessage } from '../error-message.js';
import { isSource, MAX_PENDING, publishedObservable, type Source } from './published-source.js';
import type { SseEventInput } from '../sse-event.js';

/** Options of `hub.pipe()`. */
export interface PipeOptions {
  /** Stops the source when it is aborted. */
  readonly signal?: AbortSignal;
  /** Whether the channel is completed at the end, however it ends. @defaultValue true */
  readonly complete?: boolean;
  /**
   * Stops the source when nobody listens any more, on any instance: milliseconds between two looks, of which
   * two in a row have found nobody. At least 1. @defaultValue never
   */
  readonly abandonAfter?: number;
  /**
   * Items that may wait to be published, of an Observable, which cannot be paused; one more fails it with
   * `SOURCE_TOO_FAST`. @defaultValue 10_000
   */
  readonly maxPending?: number;
}

/** What is told to listeners of a source that did not come to its own end. */
const STOPPED = 'Stopped';

/** One source on its way into a channel. */
export class SourcePipe {
  #published = 0;
  #isStopped = false;
  #reject: ((reason: Error) => void) | undefined;
  #looking: NodeJS.Timeout | undefined;

  /**
   * @param countListeners of the channel, on all instances
   * @throws SseError `INVALID_OPTIONS`
   */
  constructor(
    private readonly channel: string,
    private readonly source: Source<SseEventInput>,
    private readonly options: PipeOptions,
    private readonly writer: ChannelWriter,
    private readonly countListeners: () => Promise<number>,
  ) {
    if (!isSource(source)) {
      throw new SseError('INVALID_OPTIONS', 'hub.pipe() takes an async iterable or an Observable of events.');
    }
    checkOptions(options);
  }

  /** Publishes all there is. @returns how many events were published, if the source has come to its end */
  async run(): Promise<number> {
    const { signal, abandonAfter, complete = true } = this.options;
    const abort = (): void => this.stop(signal?.reason as Error);
    let closeSource: (() => void) | undefined;
    try {
      signal?.addEventListener('abort', abort);
      await new Promise<void>((resolve, reject) => {
        this.#reject = reject;
        if (signal?.aborted) return abort();
        closeSource = this.#open(resolve, reject);
        if (abandonAfter !== undefined) this.#lookAfter(abandonAfter, false);
      });
    } catch (error) {
      closeSource?.();
      await this.#tell(this.#isStopped ? STOPPED : errorMessage(error));
      throw error;
    } finally {
      clearTimeout(this.#looking);
      this.#looking = undefined;
      signal?.removeEventListener('abort', abort);
    }
    if (complete) await this.writer.complete(this.channel);
    return this.#published;
  }

  /** Stops the source. `run()` rejects with the reason. */
  stop(reason: Error): void {
    this.#isStopped = true;
    this.#reject?.(reason);
  }

  /** @returns closes the source */
  #open(resolve: () => void, reject: (error: unknown) => void): () => void {
    const { source } = this;
    if (isObservable(source)) {
      const { maxPending = MAX_PENDING } = this.options;
      const published = publishedObservable(source, (event) => this.#publish(event), maxPending);
      const subscription = published.subscribe({ complete: resolve, error: reject });
      return () => subscription.unsubscribe();
    }
    const iterator = source[Symbol.asyncIterator]();
    this.#pull(iterator).then(resolve, reject);
    // A generator that waits for something returns when it has that: nobody waits for it here.
    const close = async (): Promise<unknown> => iterator.return?.();
    return () => void close().catch(() => undefined);
  }

  async #pull(iterator: AsyncIterator<SseEventInput, unknown>): Promise<void> {
    for (;;) {
      const result = await iterator.next();
      if (result.done || this.#isStopped) return;
      await this.#publish(result.value);
      if (this.#isStopped) return;
    }
  }

  async #publish(event: SseEventInput): Promise<void> {
    await this.writer.publish(this.channel, event);
    this.#published++;
  }

  /** The error that ended it is what the caller learns; that it cannot be told here is mostly of the same cause. */
  async #tell(message: string): Promise<void> {
    const { channel, writer } = this;
    await writer.tellError(channel, message).catch(() => undefined);
    if (this.options.complete ?? true) await writer.complete(channel).catch(() => undefined);
  }

  #lookAfter(milliseconds: number, wasAbandoned: boolean): void {
    this.#looking = setTimeout(() => {
      const look = (count: number): void => {
        if (!this.#looking) return; // it has ended meanwhile
        if (count === 0 && wasAbandoned) this.stop(abandoned(milliseconds));
        else this.#lookAfter(milliseconds, count === 0);
      };
      // Who cannot be asked may be listening.
      this.countListeners().then(look, () => look(1));
    }, milliseconds);
    this.#looking.unref();
  }
}

const abandoned = (milliseconds: number): SseError =>
  new SseError(
    'PIPE_ABANDONED',
    `Nobody has listened for ${milliseconds} ms (abandonAfter), so the source was stopped.`,
  );

function checkOptions(options: PipeOptions): void {
  checkObject(options, ['signal', 'complete', 'abandonAfter', 'maxPending'], 'hub.pipe()');
  const { signal, complete, abandonAfter, maxPending } = options;
  if (complete !== undefined) oneOf('complete', complete, [true, false]);
  if (maxPending !== undefined) countOf('maxPending', maxPending, 1);
  if (abandonAfter !== undefined && millisecondsOf('abandonAfter', abandonAfter) === 0) {
    throw new SseError(
      'INVALID_OPTIONS',
      'The option "abandonAfter" is at least 1 millisecond. Leave it out for never.',
    );
  }
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw new SseError('INVALID_OPTIONS', 'The option "signal" is the signal of an AbortController.');
  }
}
