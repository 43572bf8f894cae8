import { createParser, type EventSourceMessage } from 'eventsource-parser';
import { RESERVED_TYPES, type AnyEvents, type EventMap, type Gap } from '../log/sse-event.js';
import { EventQueue } from './event-queue.js';
import type { Closed, ConnectionState } from './state.js';

/** Milliseconds before a reconnect where the server has not said `retry:`. */
const RETRY = 2_000;
/** Milliseconds to which the wait before a reconnect grows, if `retry:` is not longer. */
const LONGEST_WAIT = 30_000;
/** Heartbeats of silence after which a connection counts as dead. */
const SILENT_HEARTBEATS = 2.5;
/** Statuses that may be others a moment later: of a full server, and of a proxy whose server restarts. */
const PASSING: ReadonlySet<number> = new Set([429, 502, 503, 504]);
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

/** What the hub itself tells a client. None of it is an event of the application. */
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
   * log in. If it gives `true` the connection is tried again at once, three times in a row at most. Else it is closed.
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

type Listener = (data: never, event: never) => void;

/** The outcome of one attempt. */
type Outcome =
  /** It was open. */
  | { readonly kind: 'ended' }
  /** It was never open. */
  | { readonly kind: 'failed'; readonly wait?: number | undefined }
  /** It was refused, and the application has done something about that. */
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
  /** Milliseconds between the server's signs of life; 0 until it has said so. */
  #heartbeat = 0;
  /** Whether the hub has said that the identity has expired, and no stream was opened since. */
  #identity: 'valid' | 'expired' = 'valid';
  readonly #stopping = new AbortController();
  readonly #stateListeners = new Set<() => void>();
  readonly #listeners = new Map<string, Set<Listener>>();
  readonly #queues = new Set<EventQueue<AnyReceived<Events>>>();

  /** Use `connect()`. */
  constructor(
    private readonly url: string | URL,
    private readonly options: ConnectOptions,
  ) {
    this.#lastEventId = options.lastEventId ?? '';
    const { signal } = options;
    if (signal?.aborted) this.close();
    signal?.addEventListener('abort', () => this.close(), { once: true });
    void this.#run();
  }

  get state(): ConnectionState {
    return this.#state;
  }

  /** The position up to which events have arrived: for `lastEventId` of a later connection. */
  get lastEventId(): string {
    return this.#lastEventId;
  }

  /** Calls a function after each change of `state`. @returns takes it off */
  subscribe(listener: () => void): () => void {
    this.#stateListeners.add(listener);
    return () => this.#stateListeners.delete(listener);
  }

  /** Calls a function with each event of a type, `message` for those without. @returns takes it off */
  on<Type extends keyof Events & string>(
    type: Type,
    listener: (data: Events[Type], event: ReceivedEvent<Type, Events[Type]>) => void,
  ): () => void {
    const listeners = this.#listeners.get(type) ?? new Set();
    this.#listeners.set(type, listeners.add(listener));
    return () => listeners.delete(listener);
  }

  /**
   * All events from now on. While they are not taken the server is not read from, so that nothing piles up.
   *
   * It ends when the connection is closed.
   *
   * @throws Error where the connection was refused, or has failed
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<AnyReceived<Events>, void, undefined> {
    const queue = new EventQueue<AnyReceived<Events>>();
    this.#queues.add(queue);
    try {
      for (;;) {
        const event = queue.shift();
        if (event) yield event;
        else if (this.#state.kind !== 'closed') await queue.added();
        else return throwIfFailed(this.#state);
      }
    } finally {
      this.#queues.delete(queue);
      queue.close();
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
      for (const queue of this.#queues) queue.wake();
    }
    for (const listener of this.#stateListeners) guarded(listener);
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
      const growing = Math.min(this.#retry * 2 ** failures, Math.max(this.#retry, LONGEST_WAIT));
      const wait = outcome.kind === 'failed' && outcome.wait !== undefined ? outcome.wait : growing;
      // At random, so that clients that were cut off together do not come back together.
      await this.#pause(failures, wait * (1 + Math.random() / 2));
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
    } catch {
      return { kind: this.#state.kind === 'open' ? 'ended' : 'failed' };
    } finally {
      this.#stopping.signal.removeEventListener('abort', stop);
      giveUp.abort();
    }
  }

  async #request(giveUp: AbortController): Promise<Response> {
    const { options } = this;
    const { body, credentials, method = body === undefined ? 'GET' : 'POST' } = options;
    const { timeout = 30_000, fetch: request = fetch } = options;
    const timer = setTimeout(() => giveUp.abort(), timeout);
    try {
      const given = typeof options.headers === 'function' ? await options.headers() : options.headers;
      const headers = new Headers(given);
      headers.set('Accept', 'text/event-stream');
      const url = this.#address(headers);
      const init: RequestInit & { readonly cache: 'no-store' } = {
        method,
        headers,
        cache: 'no-store',
        signal: giveUp.signal,
        ...(body !== undefined && { body }),
        ...(credentials && { credentials }),
      };
      return await request(url, init);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Puts the position into the header or, on another origin, into the query: there the header would cost a preflight. */
  #address(headers: Headers): string | URL {
    if (this.#lastEventId === '') return this.url;
    const page = (globalThis as { readonly location?: { readonly href: string } }).location?.href;
    const url = page === undefined ? undefined : new URL(this.url, page);
    if (!url || url.origin === new URL(page as string).origin) {
      headers.set('Last-Event-ID', this.#lastEventId);
      return this.url;
    }
    url.searchParams.set('lastEventId', this.#lastEventId);
    return url;
  }

  /** What an answer means that is no stream; undefined for a stream. */
  async #refusal(response: Response, refusals: number): Promise<Outcome | undefined> {
    const { status, headers } = response;
    if (status === 204) return { kind: 'closed', reason: 'completed' };
    const type = headers.get('Content-Type') ?? '';
    if (response.ok && /^text\/event-stream\b/i.test(type)) return undefined;
    if (PASSING.has(status)) return { kind: 'failed', wait: retryAfter(headers) };
    if (refusals < MAX_REFUSALS && (await this.options.onRefused?.(response)) === true)
      return { kind: 'mended' };
    return { kind: 'closed', reason: this.#identity === 'expired' ? 'expired' : 'refused', status };
  }

  async #read(response: Response, giveUp: AbortController): Promise<Outcome> {
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    const decoder = new TextDecoder();
    const { maxEventLength = 4 * 1024 * 1024 } = this.options;
    let failure: Error | undefined;
    const parser = createParser({
      maxBufferSize: maxEventLength,
      onEvent: (event) => this.#received(event),
      onRetry: (retry) => {
        this.#retry = retry;
      },
      onComment: (comment) => {
        const milliseconds = HEARTBEAT.exec(comment)?.[1];
        if (milliseconds !== undefined) this.#heartbeat = Number(milliseconds);
      },
      onError: ({ type }) => {
        if (type !== 'max-buffer-size-exceeded') return;
        failure = new Error(
          `An event is longer than maxEventLength (${maxEventLength} characters). Raise it, or publish less.`,
        );
      },
    });
    this.#identity = 'valid';
    this.#heartbeat = 0;
    this.#set({ kind: 'open' });
    for (;;) {
      // Any byte counts. Only what is waited for may come late: while nobody takes events nothing is read.
      const silence = this.#heartbeat * SILENT_HEARTBEATS;
      const watchdog = silence > 0 ? setTimeout(() => giveUp.abort(), silence) : undefined;
      const { done, value } = await reader.read().finally(() => clearTimeout(watchdog));
      if (done) return { kind: 'ended' };
      parser.feed(decoder.decode(value, { stream: true }));
      if (failure) return { kind: 'closed', reason: 'failed', error: failure };
      for (const queue of this.#queues) await queue.room();
    }
  }

  /** Waits for the next attempt; less long if the browser gets back on line, or the page is looked at again. */
  #pause(attempt: number, milliseconds: number): Promise<void> {
    this.#set({ kind: 'reconnecting', attempt, at: Date.now() + milliseconds });
    return new Promise((resolve) => {
      const { document } = globalThis as { readonly document?: EventTarget & { visibilityState: string } };
      const page = globalThis as Partial<EventTarget>;
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
      const timer = setTimeout(done, milliseconds);
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
    for (const listener of this.#listeners.get(type) ?? [])
      guarded(() => listener(event.data as never, event as never));
    for (const queue of this.#queues) queue.push(event);
  }

  /** News of the hub itself. */
  #told(type: string, text: string): void {
    const { onGap, onSnapshot, onDenied, onExpired, onError } = this.options;
    const data = jsonOrText(text) as never;
    if (type === 'expired') this.#identity = 'expired';
    guarded(() => {
      if (type === 'gap') onGap?.(data);
      else if (type === 'snapshot') onSnapshot?.(data);
      else if (type === 'denied') onDenied?.(data);
      else if (type === 'expired') onExpired?.();
      else if (type === 'error') onError?.(text);
    });
  }
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
  return milliseconds >= 0 ? milliseconds : undefined;
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
