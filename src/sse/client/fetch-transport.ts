import { createParser } from 'eventsource-parser';
import { announcedHeartbeat } from '../protocol/event-stream.js';
import { EVENT_STREAM } from '../protocol/media-type.js';
import { addressOf, after, LEAST_WAIT, LONGEST_TIMER, orAborted, page, retryAfter } from './environment.js';
import type { ConnectOptions } from './options.js';
import type { Closed, ConnectionState, Reconnecting } from './state.js';
import type { Message, Receiver, Transport } from './transport.js';

/** Milliseconds before a reconnect where the server has not said `retry:`. */
const RETRY = 2_000;
/** Milliseconds to which the wait before a reconnect grows, if `retry:` is not longer. */
const LONGEST_WAIT = 30_000;
/** Heartbeats of silence after which a connection counts as dead. */
const SILENT_HEARTBEATS = 2.5;
/** Milliseconds in which bytes that have come are read, where a timer fires late: after sleep, or much work. */
const LATE = 1_000;
/** Times that `onRefused()` is asked in a row. */
const MAX_REFUSALS = 3;

/** Something that no further attempt would change. */
export class Unusable extends Error {}

/** The outcome of one attempt. */
type Outcome =
  /** The connection was open. */
  | { readonly kind: 'ended' }
  /** The connection was never open. */
  | { readonly kind: 'failed'; readonly error?: unknown; readonly wait?: number | undefined }
  /** The server has refused it, and the application has done something about that. */
  | { readonly kind: 'mended' }
  | Closed;

/**
 * Streams by `fetch()`. The stream comes back by itself, until the server says that there is nothing more, or refuses it.
 *
 * `#run()` is its life: one `#attempt()` after the other, with a `#pause()` in between.
 */
export class FetchTransport<To extends Receiver = Receiver> implements Transport<To> {
  protected receiver!: To;
  #state: 'waiting' | 'open' | 'closed' = 'waiting';
  /** Whether the hub has said that the identity has expired, and no stream was opened since. */
  #identity: 'valid' | 'expired' = 'valid';
  #retry = RETRY;
  readonly #stopping = new AbortController();
  protected readonly url: URL;

  constructor(
    url: string | URL,
    protected readonly options: ConnectOptions,
  ) {
    this.url = addressOf(url);
  }

  start(receiver: To): void {
    this.receiver = receiver;
    void this.#run();
  }

  close(): void {
    this.#state = 'closed';
    this.#stopping.abort();
  }

  // ---- Its life

  get #isClosed(): boolean {
    return this.#state === 'closed';
  }

  #move(state: ConnectionState): void {
    if (!this.#isClosed) this.receiver.moved(state);
  }

  async #run(): Promise<void> {
    // Channels that are named in the turn of `connect()` are in the first request.
    await Promise.resolve();
    let failures = 0;
    let refusals = 0;
    while (!this.#isClosed) {
      const outcome = await this.#attempt(refusals);
      if (outcome.kind === 'closed') return this.#move(outcome);
      refusals = outcome.kind === 'mended' ? refusals + 1 : 0;
      failures = outcome.kind === 'failed' ? failures + 1 : 0;
      if (outcome.kind === 'mended') continue;
      const base = Math.max(this.#retry, failures > 0 ? LEAST_WAIT : 0);
      const growing = Math.min(base * 2 ** Math.min(failures, 20), Math.max(base, LONGEST_WAIT));
      const { error, wait = growing } = outcome.kind === 'failed' ? outcome : {};
      // At random, so that clients that were cut off together do not come back together.
      await this.#pause({ attempt: failures, error }, wait * (1 + Math.random() / 2));
    }
  }

  /** Requests the stream and reads it to its end. */
  async #attempt(refusals: number): Promise<Outcome> {
    const giveUp = new AbortController();
    const stop = (): void => giveUp.abort();
    this.#stopping.signal.addEventListener('abort', stop);
    try {
      const response = await this.send(giveUp, (init) => this.requestOf(init));
      return (await this.#refusal(response, refusals)) ?? (await this.#read(response, giveUp));
    } catch (error) {
      if (error instanceof Unusable) return { kind: 'closed', reason: 'failed', error };
      return this.#state === 'open' ? { kind: 'ended' } : { kind: 'failed', error };
    } finally {
      this.#stopping.signal.removeEventListener('abort', stop);
      giveUp.abort();
      if (!this.#isClosed) this.#state = 'waiting';
    }
  }

  /** Sends a request with the options of the application. @param giveUp is aborted where no answer begins in time */
  protected async send(giveUp: AbortController, make: (init: RequestInit) => Request): Promise<Response> {
    const { headers: given, credentials, timeout = 30_000, fetch: request = fetch } = this.options;
    const { signal } = giveUp;
    const timer = after(timeout, () => giveUp.abort(new Error(`No answer within ${timeout} ms.`)));
    try {
      const headers = typeof given === 'function' ? await orAborted(signal, given()) : given;
      const init: RequestInit & { readonly cache: 'no-store' } = {
        cache: 'no-store',
        signal,
        ...(headers && { headers }),
        ...(credentials && { credentials }),
      };
      return await orAborted(signal, request(make(init)));
    } finally {
      clearTimeout(timer);
    }
  }

  /**
   * The request, with the position in its header or, on another origin, in its query: there the header would cost a preflight.
   *
   * @throws Unusable for options that `fetch()` does not take
   */
  protected requestOf(init: RequestInit): Request {
    const id = this.receiver.position() as string;
    const { body, method = body === undefined ? 'GET' : 'POST' } = this.options;
    const url = new URL(this.url);
    const isOtherOrigin = page.location !== undefined && url.origin !== page.origin;
    if (id !== '' && isOtherOrigin)
      url.search += `${url.search === '' ? '?' : '&'}lastEventId=${encodeURIComponent(id)}`;
    return made(() => {
      const request = new Request(url, { ...init, method, ...(body !== undefined && { body }) });
      request.headers.set('Accept', EVENT_STREAM.full);
      // As a browser sends it: a header is bytes, and the hub reads them as UTF-8.
      if (id !== '' && !isOtherOrigin)
        request.headers.set('Last-Event-ID', String.fromCharCode(...new TextEncoder().encode(id)));
      return request;
    });
  }

  /** What an answer means that is no stream; undefined for a stream. */
  async #refusal(response: Response, refusals: number): Promise<Outcome | undefined> {
    const { status, headers } = response;
    if (status === 204) return { kind: 'closed', reason: 'completed' };
    const type = headers.get('Content-Type') ?? '';
    if (response.ok && /^text\/event-stream\b/i.test(type)) {
      this.checkType?.(type);
      return undefined;
    }
    if (isPassing(status))
      return {
        kind: 'failed',
        wait: retryAfter(headers),
        error: new Error(`The server has answered ${status}.`),
      };
    if (this.asksLess?.(status)) return { kind: 'mended' };
    try {
      if (refusals < MAX_REFUSALS && (await this.options.onRefused?.(response)) === true)
        return { kind: 'mended' };
    } catch (error) {
      return { kind: 'closed', reason: 'failed', error: error as Error };
    }
    return { kind: 'closed', reason: this.#identity === 'expired' ? 'expired' : 'refused', status };
  }

  async #read({ body }: Response, giveUp: AbortController): Promise<Outcome> {
    if (!body) throw new Unusable('The answer has no body that can be read.');
    const reader = (body as ReadableStream<Uint8Array>).getReader();
    giveUp.signal.addEventListener('abort', () => void reader.cancel().catch(() => undefined), {
      once: true,
    });
    const decoder = new TextDecoder();
    const { maxEventLength = 4 * 1024 * 1024 } = this.options;
    let failure: Error | undefined;
    // Milliseconds between the server's signs of life, which the first block may announce; 0 for unknown.
    let heartbeat = 0;
    let isFirstBlock = true;
    const parser = createParser({
      maxBufferSize: maxEventLength,
      onEvent: (message) => {
        isFirstBlock = false;
        this.received(message, giveUp);
      },
      onRetry: (retry) => {
        this.#retry = retry;
      },
      onComment: (comment) => {
        if (isFirstBlock) heartbeat = announcedHeartbeat(comment) ?? heartbeat;
      },
      onError: ({ type }) => {
        if (type !== 'max-buffer-size-exceeded') return;
        failure = new Error(
          `An event is longer than maxEventLength (${maxEventLength} characters). Raise it, or publish less.`,
        );
      },
    });
    this.#identity = 'valid';
    if (!this.#isClosed) this.#state = 'open';
    this.#move({ kind: 'open' });
    for (;;) {
      // Any byte counts, and only while it is waited for: where nobody takes events nothing is read.
      const stopWatching = watch(heartbeat * SILENT_HEARTBEATS, () => giveUp.abort());
      const { done, value } = await reader.read().finally(stopWatching);
      // A stream that was given up ends here, too.
      giveUp.signal.throwIfAborted();
      if (done) return { kind: 'ended' };
      parser.feed(decoder.decode(value, { stream: true }));
      if (failure) return { kind: 'closed', reason: 'failed', error: failure };
      await this.receiver.room();
    }
  }

  /** @throws Unusable for a stream of another kind */
  protected checkType?(type: string): void;

  /** Whether the next request is another, which the server may take. */
  protected asksLess?(status: number): boolean;

  /** @param stream aborts when the stream is over; aborting it makes another attempt due */
  protected received(message: Message, stream: AbortController): void {
    if (stream.signal.aborted) return;
    if (message.event === 'expired') this.#identity = 'expired';
    this.receiver.receive(message);
  }

  /** Waits for the next attempt; less long if the browser gets back on line, or the page is looked at again. */
  #pause({ attempt, error }: Pick<Reconnecting, 'attempt' | 'error'>, milliseconds: number): Promise<void> {
    this.#move({ kind: 'reconnecting', attempt, at: Date.now() + milliseconds, error });
    return new Promise((resolve) => {
      const { document } = page;
      const done = (): void => {
        clearTimeout(timer);
        page.removeEventListener?.('online', done);
        document?.removeEventListener('visibilitychange', seen);
        this.#stopping.signal.removeEventListener('abort', done);
        resolve();
      };
      const seen = (): void => {
        if (document?.visibilityState === 'visible') done();
      };
      const timer = after(milliseconds, done);
      page.addEventListener?.('online', done);
      document?.addEventListener('visibilitychange', seen);
      this.#stopping.signal.addEventListener('abort', done);
      if (this.#isClosed) done();
    });
  }
}

/** @throws Unusable for options that `fetch()` does not take */
export function made(make: () => Request): Request {
  try {
    return make();
  } catch (cause) {
    throw new Unusable(`The request cannot be made: ${String(cause)}`, { cause });
  }
}

/** Statuses that may be others a moment later: of a full server, and of proxies whose server restarts. */
const isPassing = (status: number): boolean =>
  [408, 425, 429, 502, 503, 504].includes(status) || (status >= 520 && status <= 530);

/** Calls back after a silence; 0 for never. A timer that fires late lets what has come be read first. */
function watch(silence: number, dead: () => void): () => void {
  if (silence <= 0 || silence > LONGEST_TIMER) return () => undefined;
  let due = performance.now() + silence;
  const look = (): void => {
    const now = performance.now();
    if (now - due < LATE) return dead();
    due = now + LATE;
    timer = setTimeout(look, LATE);
  };
  let timer = setTimeout(look, silence);
  return () => clearTimeout(timer);
}
