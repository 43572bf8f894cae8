import { once } from 'node:events';
import { request, type ClientRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { clearTimeout, setTimeout } from 'node:timers';
import { setTimeout as delay } from 'node:timers/promises';
import { jsonOrText, POSITION_TYPE } from '../protocol/event-stream.js';
import { Changes } from './changes.js';
import { EventReader, TIME_LIMIT } from './event-reader.js';
import { EventStreamParser, type Block } from './event-stream-parser.js';
import { Inbox } from './inbox.js';
import { LastEventIds, type Engine } from './last-event-ids.js';
import { StreamRefused } from './stream-refused.js';

/** An event as it has arrived. */
export interface TestEvent {
  /** `message` where the server has named none. */
  readonly type: string;
  /** The data as `nestjs-sse-hub/client` gives it: parsed if it is JSON, else the text. */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- tests look into it without a cast
  readonly data: any;
  /** The data as it was sent. */
  readonly text: string;
  /** Its own id, undefined where it has none. */
  readonly id: string | undefined;
}

/**
 * What a stream is. `open`: events come. `ended`: the server has ended the response. `broken`: the connection has failed.
 * `dropped`: the test has cut it. `refused`: the server has answered `resume()` without a stream. `closed`: by `close()`.
 */
export type TestStreamState = 'connecting' | 'open' | 'ended' | 'broken' | 'dropped' | 'refused' | 'closed';

/** Options of `openStream()`. */
export interface OpenStreamOptions {
  /** @defaultValue `'GET'`, or `'POST'` with a body */
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** A text is sent as it is, anything else as JSON. */
  readonly body?: unknown;
  /** The position to begin after. @defaultValue none */
  readonly lastEventId?: string;
  /** Milliseconds that each call of the stream waits, that of `openStream()` included. @defaultValue 4,000 */
  readonly timeout?: number;
  /**
   * Opens the stream again by itself, as an EventSource does, until an answer is no stream: so many milliseconds after it is
   * over, or `true` for as many as `retry:` has said (3,000 until then). Calls wait through the time in between.
   *
   * @defaultValue only `resume()` opens it again
   */
  readonly reconnect?: number | true;
}

/** Milliseconds until a reconnect where the server has said nothing: as of Chromium. */
const RETRY = 3_000;

/**
 * A client's end of a stream, which a test reads, cuts and opens again. `openStream()` makes it.
 *
 * ```
 * connecting ──► open ──► ended, broken, dropped ──► (resume) connecting
 *      └──► refused                    close() ──► closed
 * ```
 *
 * With `reconnect` an open stream that is over is `connecting` at once.
 */
export class TestStream extends EventReader<TestEvent> {
  /** Of the newest answer. */
  status = 0;
  /** Of the newest answer. */
  headers: IncomingHttpHeaders = {};
  /** Milliseconds that the server has asked to wait before a reconnect. */
  retry: number | undefined;
  /** How many answers have been streams. */
  connected = 0;
  #raw = '';
  /** Whether the present answer has brought an id. */
  #isPositioned = false;
  #state: Exclude<TestStreamState, 'refused'> | StreamRefused = 'connecting';
  #request: ClientRequest | undefined;
  #response: IncomingMessage | undefined;
  readonly #ids = new LastEventIds();
  readonly #comments: Inbox<string>;
  readonly #changes: Changes;
  readonly #leaving = new AbortController();

  private constructor(
    private readonly url: string,
    private readonly options: OpenStreamOptions,
    private readonly timeout: number,
  ) {
    super(timeout);
    this.#comments = new Inbox(timeout, () => this.story());
    this.#changes = new Changes(timeout);
  }

  /** Use `openStream()`. */
  static async open(url: string, options: OpenStreamOptions): Promise<TestStream> {
    const stream = new TestStream(url, options, options.timeout ?? TIME_LIMIT);
    await stream.#connect(options.lastEventId ?? '');
    return stream;
  }

  get state(): TestStreamState {
    return typeof this.#state === 'string' ? this.#state : 'refused';
  }

  /** The position up to which events have arrived, as the HTML standard has it. */
  get lastEventId(): string {
    return this.#ids.of('chromium');
  }

  /** All text so far, as it was sent, of all answers. */
  get raw(): string {
    return this.#raw;
  }

  /** All comments so far. A heartbeat is an empty one. */
  get comments(): readonly string[] {
    return this.#comments.all;
  }

  /** The next comment. @throws Error if none comes */
  async nextComment(): Promise<string> {
    const [comment] = await this.#comments.until(() => true, 'a comment');
    return comment as string;
  }

  /** The next comments up to this one. That is the last of them. @throws Error if it does not come */
  async untilComment(which: string): Promise<string[]> {
    return this.#comments.until((comment) => comment === which, `a comment ${JSON.stringify(which)}`);
  }

  /**
   * Waits until `lastEventId` is this one, or one that the function says yes to; without either, until the present answer has
   * brought one: a stream that has just been opened may not have its position yet.
   *
   * @throws Error if it does not become so
   */
  async untilId(which: string | ((id: string) => boolean) = () => this.#isPositioned): Promise<string> {
    const isIt = typeof which === 'string' ? (id: string) => id === which : which;
    await this.#whileOpen(() => isIt(this.lastEventId), 'a last event ID that fits');
    return this.lastEventId;
  }

  /** Waits until so many answers have been streams. @throws Error if they do not come */
  async untilConnected(count: number): Promise<void> {
    await this.#whileOpen(() => this.connected >= count, `connection ${count}`);
  }

  /** Waits until the stream is over, with `reconnect` for good. @returns how it ended. @throws Error if it does not */
  async ended(): Promise<TestStreamState> {
    await this.#become(() => this.#isOver, 'the end');
    return this.state;
  }

  /** Stops reading, as a slow client does: the buffers between here and the server fill up. */
  pause(): void {
    this.#response?.pause();
  }

  /** Reads on after `pause()`. */
  read(): void {
    this.#response?.resume();
  }

  /**
   * Cuts the connection: by RST, as when a network fails, or by FIN, as when a page is closed.
   *
   * @throws Error if the stream is over
   */
  drop(how: 'rst' | 'fin' = 'rst'): void {
    if (this.#isOver) throw new Error(`A stream that is ${this.state} cannot be dropped.`);
    const socket = this.#request?.socket;
    if (this.#state === 'open') this.#over('dropped');
    if (how === 'rst') socket?.resetAndDestroy();
    else socket?.destroy();
  }

  /**
   * Opens the stream again with its last event ID, as an EventSource does, but at once. The engines differ in which ids they
   * store.
   *
   * @throws StreamRefused if the answer is no stream, as 204 for a completed one; the stream stays away then. Error if the
   * stream is open, or closed
   */
  async resume({ as: engine = 'chromium' }: { readonly as?: Engine } = {}): Promise<void> {
    if (this.#state instanceof StreamRefused) throw this.#state;
    if (this.#state === 'open' || this.#state === 'connecting')
      throw new Error('The stream is open, or opens again. Call drop(), or await ended(), before resume().');
    if (this.#state === 'closed') throw new Error('The stream was closed. Use drop() in place of close().');
    await this.#connect(this.#ids.of(engine));
  }

  /** Leaves for good. */
  close(): void {
    this.#set('closed');
    this.#leaving.abort();
    this.#request?.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }

  async #connect(lastEventId: string): Promise<void> {
    this.#ids.beginWith(lastEventId);
    this.#isPositioned = false;
    this.#set('connecting');
    const sent = this.#send(lastEventId);
    this.#request = sent;
    const limit = setTimeout(() => {
      sent.destroy(new Error(`${this.#asked} was not answered within ${this.timeout} ms.`));
    }, this.timeout);
    try {
      await this.#answered(sent);
    } catch (error) {
      const isRefused = error instanceof StreamRefused;
      if (this.#state === 'connecting' && (isRefused || !this.#comesBack))
        this.#set(isRefused ? error : 'broken');
      throw error;
    } finally {
      clearTimeout(limit);
    }
  }

  #send(lastEventId: string): ClientRequest {
    const { body, headers = {} } = this.options;
    const isText = body === undefined || typeof body === 'string';
    const sent = request(this.url, { method: this.#method, agent: false });
    sent.setHeader('Accept', 'text/event-stream');
    if (!isText) sent.setHeader('Content-Type', 'application/json');
    for (const [name, value] of Object.entries(headers)) sent.setHeader(name, value);
    // The bytes of a header are UTF-8; Node takes each for a character.
    if (lastEventId !== '') sent.setHeader('Last-Event-ID', Buffer.from(lastEventId).toString('latin1'));
    return sent.end(isText ? body : JSON.stringify(body));
  }

  get #method(): string {
    return this.options.method ?? (this.options.body === undefined ? 'GET' : 'POST');
  }

  /** Method and address, for errors. */
  get #asked(): string {
    return `${this.#method} ${this.url}`;
  }

  /** @throws StreamRefused */
  async #answered(sent: ClientRequest): Promise<void> {
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    sent.on('error', () => undefined); // of a connection that is cut: the response closes next
    const { statusCode: status = 0, headers } = response;
    this.status = status;
    this.headers = headers;
    response.setEncoding('utf8');
    const type = headers['content-type'] ?? '';
    if (status >= 200 && status < 300 && /^text\/event-stream\b/i.test(type)) return this.#begin(response);
    let text = '';
    for await (const chunk of response) text += chunk as string;
    const body = /\bjson\b/.test(type) ? jsonOrText(text) : text;
    throw new StreamRefused(this.#asked, status, headers, body);
  }

  #begin(response: IncomingMessage): void {
    this.#response = response;
    this.connected++;
    this.#set('open');
    const parser = new EventStreamParser({
      received: (block) => this.#received(block),
      commented: (text) => this.#comments.push(text),
      retryIs: (milliseconds) => (this.retry = milliseconds),
    });
    response.on('data', (text: string) => {
      this.#raw += text;
      parser.feed(text);
      this.#changes.happened();
    });
    response.on('error', () => undefined); // of a connection that breaks: it closes next
    response.on('close', () => {
      if (this.#response === response && this.#state === 'open')
        this.#over(response.complete ? 'ended' : 'broken');
    });
  }

  /** What was open is over. */
  #over(state: 'ended' | 'broken' | 'dropped'): void {
    if (!this.#comesBack) return this.#set(state);
    this.#set('connecting');
    void this.#comeBack();
  }

  get #comesBack(): boolean {
    return this.options.reconnect !== undefined;
  }

  /** Tries until the server answers, or the test leaves. */
  async #comeBack(): Promise<void> {
    const { signal } = this.#leaving;
    while (this.#state === 'connecting') {
      const { reconnect } = this.options;
      const wait = typeof reconnect === 'number' ? reconnect : (this.retry ?? RETRY);
      await delay(wait, undefined, { signal }).catch(() => undefined);
      if (!signal.aborted) await this.#connect(this.lastEventId).catch(() => undefined);
    }
  }

  #received(block: Block): void {
    this.#ids.received(block);
    this.#isPositioned ||= block.id !== undefined;
    const { type, data: text, id } = block;
    if (text !== undefined && type !== POSITION_TYPE) this.add({ type, data: jsonOrText(text), text, id });
  }

  #set(state: Exclude<TestStreamState, 'refused'> | StreamRefused): void {
    this.#state = state;
    this.isOver = this.#isOver;
    if (this.#isOver) this.#comments.end();
    else this.#comments.reopen();
    this.#changes.happened();
  }

  get #isOver(): boolean {
    return this.#state !== 'open' && this.#state !== 'connecting';
  }

  async #whileOpen(isSo: () => boolean, what: string): Promise<void> {
    await this.#become(() => isSo() || this.#isOver, what);
    if (!isSo()) throw new Error(`It was over before ${what} came. ${this.story()}`);
  }

  async #become(isSo: () => boolean, what: string): Promise<void> {
    if (await this.#changes.until(isSo)) return;
    throw new Error(`Waited ${this.#changes.limit} ms for ${what}. ${this.story()}`);
  }

  protected override story(): string {
    const comments = this.comments.map((comment) => JSON.stringify(comment)).join(', ');
    const answer = `${this.#asked} was answered ${this.status} and is ${this.state}.`;
    return `${answer} ${super.story()}${comments === '' ? '' : `\nComments: ${comments}`}`;
  }
}
