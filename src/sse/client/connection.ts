import { createParser, type EventSourceMessage } from 'eventsource-parser';
import { RESERVED_TYPES, type AnyEvents, type EventMap, type Gap } from '../log/sse-event.js';
import { EventQueue } from './event-queue.js';
import type { Closed, ConnectionState, Reconnecting } from './state.js';

/** Milliseconds before a reconnect where the server has not said `retry:`. */
const RETRY = 2_000;
/** Milliseconds to which the wait before a reconnect grows, if `retry:` is not longer. */
const LONGEST_WAIT = 30_000;
/** Heartbeats of silence after which a connection counts as dead. */
const SILENT_HEARTBEATS = 2.5;
/** Milliseconds before an attempt that follows a failed one, whatever the server asks for. */
const LEAST_WAIT = 250;
/** The longest timer in milliseconds: they count in 31 bits, and a longer one fires at once. */
const LONGEST_TIMER = 2_147_483_647;
/** Milliseconds in which bytes that have come are read, where a timer fires late: after sleep, or much work. */
const LATE = 1_000;
/** Times that `onRefused()` is asked in a row. */
const MAX_REFUSALS = 3;
const HEARTBEAT = /^heartbeat (\d+)$/;

/** An event as it arrives. */
export interface ReceivedEvent<Type extends string = string, Data = unknown> {
  /** `message` where the server has named none. */
  readonly type: Type;
  readonly data: Data;
  /** The position of the client after this event, as `lastEventId` takes it. */
  readonly id: string;
}

/** Any event of a channel. */
export type AnyReceived<Events extends EventMap> = {
  [Type in keyof Events & string]: ReceivedEvent<Type, Events[Type]>;
}[keyof Events & string];

/** What the hub itself tells a client. These are no events of the application. */
export interface HubNews {
  /** The hub cannot give everything after the client's position. What is left follows, or a snapshot. */
  readonly onGap?: (gap: Gap) => void;
  /** The state of a channel, in place of the events up to now. */
  readonly onSnapshot?: (snapshot: { readonly channel: string; readonly state: unknown }) => void;
  /** The client does not get a channel, or gets it no more. */
  readonly onDenied?: (denied: {
    readonly channel: string;
    readonly reason: 'forbidden' | 'revoked';
  }) => void;
  /** The id of the connection, which a page sends to join and leave channels. It is another after each reconnect. */
  readonly onConnection?: (connection: { readonly id: string }) => void;
  /** The client's identity has expired. The connection is made again, with the headers of then. */
  readonly onExpired?: () => void;
  /** The stream has failed on the server, or its source has. @param message what the client may know of it */
  readonly onError?: (message: string) => void;
}

/** Headers, in any form that `fetch()` takes. */
type HeadersGiven = RequestInit['headers'];

/** Options of `connect()`. */
export interface ConnectOptions extends HubNews {
  /** The request method. @defaultValue `'GET'`, or `'POST'` with a body */
  readonly method?: string;
  /** The request body, sent anew by each attempt: no stream. */
  readonly body?: string | URLSearchParams | FormData | Blob | ArrayBuffer;
  /** Headers, or a function that is called before each attempt: for a token that has to be renewed. */
  readonly headers?: HeadersGiven | (() => HeadersGiven | Promise<HeadersGiven>);
  /** As in `fetch()`. @defaultValue `'same-origin'` */
  readonly credentials?: 'omit' | 'same-origin' | 'include';
  /** The position to begin after. @defaultValue none */
  readonly lastEventId?: string;
  /**
   * Is called with an answer that is no stream, and with a status that another attempt would not change: 401, 404, a page to
   * log in. If it gives `true` the connection is tried again at once, three times in a row at most. Else
   * the connection is closed, also with an error that it throws.
   */
  readonly onRefused?: (response: Response) => unknown;
  /**
   * Makes the data of an event of its text. @defaultValue `JSON.parse`, and the text itself where that fails: the hub sends
   * a string as it is. What it throws closes the connection
   */
  readonly parse?: (text: string, type: string) => unknown;
  /** The longest event in characters; one that is longer closes the connection. @defaultValue 4,194,304 */
  readonly maxEventLength?: number;
  /** Milliseconds in which the server has to begin its answer. @defaultValue 30,000 */
  readonly timeout?: number;
  /** Closes the connection when it aborts. */
  readonly signal?: AbortSignal;
  /** @defaultValue the global one */
  readonly fetch?: typeof fetch;
}

interface Listener {
  readonly call: (data: never, event: never) => void;
}

/** Something that no further attempt would change. */
class Unusable extends Error {}

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
 * A connection to one stream that comes back by itself, with the position that it has come to, until the server says that
 * there is nothing more, refuses it, or it is closed.
 *
 * ```
 * connecting ──► open ◄──► reconnecting
 *      └──────────┴─────────────┴────────► closed
 * ```
 *
 * `#run()` is its life: one `#attempt()` after the other, with a `#pause()` in between.
 */
export class SseClient<Events extends EventMap = AnyEvents> implements AsyncIterable<AnyReceived<Events>> {
  #state: ConnectionState = { kind: 'connecting' };
  #lastEventId: string;
  #retry = RETRY;
  /** Whether the hub has said that the identity has expired, and no stream was opened since. */
  #identity: 'valid' | 'expired' = 'valid';
  readonly #stopping = new AbortController();
  readonly #stateListeners = new Set<{ readonly call: () => void }>();
  readonly #listeners = new Map<string, Set<Listener>>();
  readonly #queues = new Set<EventQueue<AnyReceived<Events>>>();
  readonly #url: URL;

  /** Use `connect()`. */
  constructor(
    url: string | URL,
    private readonly options: ConnectOptions,
  ) {
    this.#url = new URL(url, page.document?.baseURI ?? page.location?.href);
    this.#lastEventId = options.lastEventId ?? '';
    const { signal } = options;
    if (signal?.aborted) this.close();
    signal?.addEventListener('abort', () => this.close(), { once: true, signal: this.#stopping.signal });
    void this.#run();
  }

  get state(): ConnectionState {
    return this.#state;
  }

  /**
   * The position up to which events have arrived: for `lastEventId` of a later connection. In a loop over the client take the
   * `id` of the event that is done: later ones may wait.
   */
  get lastEventId(): string {
    return this.#lastEventId;
  }

  /** Calls a function after each change of `state`. It is bound, as hooks take it. @returns takes it off */
  readonly subscribe = (listener: () => void): (() => void) => {
    const entry = { call: listener };
    this.#stateListeners.add(entry);
    return () => this.#stateListeners.delete(entry);
  };

  /** Calls a function with each event of a type, `message` for those without. @returns takes it off */
  on<Type extends keyof Events & string>(
    type: Type,
    listener: (data: Events[Type], event: ReceivedEvent<Type, Events[Type]>) => void,
  ): () => void {
    const entry: Listener = { call: listener };
    const listeners = this.#listeners.get(type) ?? new Set();
    this.#listeners.set(type, listeners.add(entry));
    return () => {
      listeners.delete(entry);
      if (listeners.size === 0) this.#listeners.delete(type);
    };
  }

  /**
   * All events from the first `next()` on. While they are not taken the server is not read from, so that nothing piles up.
   * What the hub tells comes in between, in its place.
   *
   * It ends when the connection is closed. Leaving the loop closes the connection, unless something else listens.
   *
   * @throws Error where the connection was refused, or has failed
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<AnyReceived<Events>, void, undefined> {
    const queue = new EventQueue<AnyReceived<Events>>();
    this.#queues.add(queue);
    try {
      for (;;) {
        const item = queue.shift();
        if (typeof item === 'function') item();
        else if (item) yield item;
        else if (this.#state.kind !== 'closed') await queue.added();
        else return throwIfFailed(this.#state);
      }
    } finally {
      this.#queues.delete(queue);
      queue.close();
      if (this.#queues.size === 0 && this.#listeners.size === 0) this.close();
    }
  }

  /** Ends the connection. Nothing arrives any more. */
  close(): void {
    this.#set({ kind: 'closed', reason: 'stopped' });
  }

  get #isClosed(): boolean {
    return this.#state.kind === 'closed';
  }

  #set(state: ConnectionState): void {
    if (this.#isClosed) return;
    this.#state = state;
    if (state.kind === 'closed') {
      this.#stopping.abort();
      for (const queue of this.#queues) {
        if (state.reason === 'stopped') queue.close();
        queue.wake();
      }
    }
    for (const { call } of [...this.#stateListeners]) guarded(call);
  }

  // ---- Its life

  async #run(): Promise<void> {
    let failures = 0;
    let refusals = 0;
    while (!this.#isClosed) {
      const outcome = await this.#attempt(refusals);
      if (outcome.kind === 'closed') return this.#set(outcome);
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
      const response = await this.#request(giveUp);
      return (await this.#refusal(response, refusals)) ?? (await this.#read(response, giveUp));
    } catch (error) {
      if (error instanceof Unusable) return { kind: 'closed', reason: 'failed', error };
      return this.#state.kind === 'open' ? { kind: 'ended' } : { kind: 'failed', error };
    } finally {
      this.#stopping.signal.removeEventListener('abort', stop);
      giveUp.abort();
    }
  }

  async #request(giveUp: AbortController): Promise<Response> {
    const { options } = this;
    const { body, credentials, method = body === undefined ? 'GET' : 'POST' } = options;
    const { timeout = 30_000, fetch: request = fetch } = options;
    const timer = after(timeout, () => giveUp.abort(new Error(`No answer within ${timeout} ms.`)));
    try {
      const { headers: given } = options;
      const headers = typeof given === 'function' ? await orAborted(giveUp.signal, given()) : given;
      const init: RequestInit & { readonly cache: 'no-store' } = {
        method,
        cache: 'no-store',
        signal: giveUp.signal,
        ...(headers && { headers }),
        ...(body !== undefined && { body }),
        ...(credentials && { credentials }),
      };
      return await orAborted(giveUp.signal, request(this.#requestOf(init)));
    } finally {
      clearTimeout(timer);
    }
  }

  /**
   * The request, with the position in its header or, on another origin, in its query: there the header would cost a preflight.
   *
   * @throws Unusable for options that `fetch()` does not take
   */
  #requestOf(init: RequestInit): Request {
    const url = new URL(this.#url);
    const isOtherOrigin = page.location !== undefined && url.origin !== page.origin;
    const id = this.#lastEventId;
    if (id !== '' && isOtherOrigin)
      url.search += `${url.search === '' ? '?' : '&'}lastEventId=${encodeURIComponent(id)}`;
    try {
      const request = new Request(url, init);
      request.headers.set('Accept', 'text/event-stream');
      // As a browser sends it: a header is bytes, and the hub reads them as UTF-8.
      if (id !== '' && !isOtherOrigin)
        request.headers.set('Last-Event-ID', String.fromCharCode(...new TextEncoder().encode(id)));
      return request;
    } catch (cause) {
      throw new Unusable(`The request cannot be made: ${String(cause)}`, { cause });
    }
  }

  /** What an answer means that is no stream; undefined for a stream. */
  async #refusal(response: Response, refusals: number): Promise<Outcome | undefined> {
    const { status, headers } = response;
    if (status === 204) return { kind: 'closed', reason: 'completed' };
    const type = headers.get('Content-Type') ?? '';
    if (response.ok && /^text\/event-stream\b/i.test(type)) return undefined;
    if (isPassing(status))
      return {
        kind: 'failed',
        wait: retryAfter(headers),
        error: new Error(`The server has answered ${status}.`),
      };
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
      onEvent: (event) => {
        isFirstBlock = false;
        this.#received(event);
      },
      onRetry: (retry) => {
        this.#retry = retry;
      },
      onComment: (comment) => {
        const milliseconds = HEARTBEAT.exec(comment)?.[1];
        if (milliseconds !== undefined && isFirstBlock) heartbeat = Number(milliseconds);
      },
      onError: ({ type }) => {
        if (type !== 'max-buffer-size-exceeded') return;
        failure = new Error(
          `An event is longer than maxEventLength (${maxEventLength} characters). Raise it, or publish less.`,
        );
      },
    });
    this.#identity = 'valid';
    this.#set({ kind: 'open' });
    for (;;) {
      // Any byte counts, and only while it is waited for: where nobody takes events nothing is read.
      const stopWatching = watch(heartbeat * SILENT_HEARTBEATS, () => giveUp.abort());
      const { done, value } = await reader.read().finally(stopWatching);
      if (done) return { kind: 'ended' };
      parser.feed(decoder.decode(value, { stream: true }));
      if (failure) return { kind: 'closed', reason: 'failed', error: failure };
      for (const queue of this.#queues) if (!this.#isClosed) await queue.room();
    }
  }

  /** Waits for the next attempt; less long if the browser gets back on line, or the page is looked at again. */
  #pause({ attempt, error }: Pick<Reconnecting, 'attempt' | 'error'>, milliseconds: number): Promise<void> {
    this.#set({ kind: 'reconnecting', attempt, at: Date.now() + milliseconds, error });
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

  // ---- What arrives

  #received({ event: type = 'message', id, data: text }: EventSourceMessage): void {
    if (this.#isClosed) return;
    if (id !== undefined) this.#lastEventId = id;
    if (RESERVED_TYPES.has(type)) return this.#told(type, text);
    let data: unknown;
    try {
      data = (this.options.parse ?? jsonOrText)(text, type);
    } catch (error) {
      return this.#set({ kind: 'closed', reason: 'failed', error: error as Error });
    }
    const event = { type, data, id: this.#lastEventId } as AnyReceived<Events>;
    for (const { call } of [...(this.#listeners.get(type) ?? [])])
      if (!this.#isClosed) guarded(() => call(event.data as never, event as never));
    for (const queue of this.#queues) queue.push(event);
  }

  /** News of the hub itself. */
  #told(type: string, text: string): void {
    const { onGap, onSnapshot, onDenied, onConnection, onExpired, onError } = this.options;
    const data = jsonOrText(text) as never;
    if (type === 'expired') this.#identity = 'expired';
    const tell = (): void =>
      guarded(() => {
        if (type === 'gap') onGap?.(data);
        else if (type === 'snapshot') onSnapshot?.(data);
        else if (type === 'denied') onDenied?.(data);
        else if (type === 'connection') onConnection?.(data);
        else if (type === 'expired') onExpired?.();
        else if (type === 'error') onError?.(text);
      });
    // In its place among the events that wait for a loop.
    const [queue] = this.#queues;
    if (queue) queue.push(tell);
    else tell();
  }
}

/** What a page has of its own; a worker has less, and a program nothing. */
const page = globalThis as Partial<EventTarget> & {
  readonly origin?: string;
  readonly location?: { readonly href: string };
  readonly document?: EventTarget & { readonly baseURI: string; readonly visibilityState: string };
};

/** Statuses that may be others a moment later: of a full server, and of proxies whose server restarts. */
const isPassing = (status: number): boolean =>
  [408, 425, 429, 502, 503, 504].includes(status) || (status >= 520 && status <= 530);

const after = (milliseconds: number, task: () => void): ReturnType<typeof setTimeout> =>
  setTimeout(task, Math.min(milliseconds, LONGEST_TIMER));

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

/** A value that is given up when a signal aborts, also where who makes it does not heed the signal. */
function orAborted<T>(signal: AbortSignal, value: T | PromiseLike<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = (): void => reject(signal.reason as Error);
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
    Promise.resolve(value).then(resolve, reject);
  });
}

function jsonOrText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Milliseconds; undefined where the server says nothing. */
function retryAfter(headers: Headers): number | undefined {
  const value = headers.get('Retry-After');
  if (value === null) return undefined;
  const seconds = Number(value);
  const milliseconds = Number.isNaN(seconds) ? Date.parse(value) - Date.now() : seconds * 1_000;
  return milliseconds >= 0 ? Math.max(milliseconds, LEAST_WAIT) : undefined;
}

function throwIfFailed(state: Closed): void {
  if (state.reason === 'failed') throw state.error;
  if (state.reason === 'refused' || state.reason === 'expired')
    throw new Error(`The server has refused the stream with status ${state.status}.`);
}

/** Runs code of the application. What it throws is reported as for any listener, and ends nothing. */
function guarded(task: () => void): void {
  try {
    task();
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}
