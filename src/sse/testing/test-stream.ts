import { once } from 'node:events';
import { request, type ClientRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { clearTimeout, setTimeout } from 'node:timers';
import { POSITION_TYPE } from '../protocol/event-stream.js';
import { Changes } from './changes.js';
import { EventReader } from './event-reader.js';
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

/** How a stream is asked for. */
export interface StreamRequest {
  readonly url: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
  readonly lastEventId: string;
  /** Milliseconds. */
  readonly timeout: number;
}

/**
 * A client's end of a stream, which a test reads, cuts and opens again. `openStream()` makes it.
 *
 * ```
 * connecting ──► open ──► ended, broken, dropped ──► (resume) connecting
 *      └──► refused                    close() ──► closed
 * ```
 */
export class TestStream extends EventReader<TestEvent> {
  /** Of the newest answer. */
  status = 0;
  /** Of the newest answer. */
  headers: IncomingHttpHeaders = {};
  /** Milliseconds that the server has asked to wait before a reconnect. */
  retry: number | undefined;
  #state: Exclude<TestStreamState, 'refused'> | StreamRefused = 'connecting';
  #request: ClientRequest | undefined;
  #response: IncomingMessage | undefined;
  readonly #ids = new LastEventIds();
  readonly #comments: Inbox<string>;
  readonly #changes: Changes;

  private constructor(private readonly asked: StreamRequest) {
    super(asked.timeout);
    this.#comments = new Inbox(asked.timeout, () => this.story());
    this.#changes = new Changes(asked.timeout);
  }

  /** Use `openStream()`. */
  static async open(asked: StreamRequest): Promise<TestStream> {
    const stream = new TestStream(asked);
    await stream.#connect(asked.lastEventId);
    return stream;
  }

  get state(): TestStreamState {
    return typeof this.#state === 'string' ? this.#state : 'refused';
  }

  /** The position up to which events have arrived, as the HTML standard has it. */
  get lastEventId(): string {
    return this.#ids.of('chromium');
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

  /** Waits until the response is over. @returns how it ended. @throws Error if it does not */
  async ended(): Promise<TestStreamState> {
    const isOver = (): boolean => this.#state !== 'open' && this.#state !== 'connecting';
    if (await this.#changes.until(isOver)) return this.state;
    throw new Error(`Waited ${this.#changes.limit} ms for the end. ${this.story()}`);
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
   * @throws Error if the stream is not open
   */
  drop(how: 'rst' | 'fin' = 'rst'): void {
    if (this.#state !== 'open') throw new Error(`A stream that is ${this.state} cannot be dropped.`);
    const socket = this.#request?.socket;
    this.#set('dropped');
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
      throw new Error('The stream is open. Call drop(), or await ended(), before resume().');
    if (this.#state === 'closed') throw new Error('The stream was closed. Use drop() in place of close().');
    this.isOver = false;
    await this.#connect(this.#ids.of(engine));
  }

  /** Leaves for good. @returns when the connection has ended */
  async close(): Promise<void> {
    this.#set('closed');
    const sent = this.#request;
    if (!sent || sent.closed) return;
    sent.destroy();
    await once(sent, 'close');
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #connect(lastEventId: string): Promise<void> {
    const { url, method, headers, body, timeout } = this.asked;
    this.#ids.beginWith(lastEventId);
    this.#set('connecting');
    const id = lastEventId === '' ? {} : { 'last-event-id': Buffer.from(lastEventId).toString('latin1') };
    const sent = request(url, { method, agent: false, headers: { ...headers, ...id } });
    this.#request = sent;
    const limit = setTimeout(() => {
      sent.destroy(new Error(`${method} ${url} was not answered within ${timeout} ms.`));
    }, timeout);
    sent.end(body);
    try {
      await this.#answered(sent);
    } catch (error) {
      if (this.#state === 'connecting') this.#set(error instanceof StreamRefused ? error : 'broken');
      throw error;
    } finally {
      clearTimeout(limit);
    }
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
    throw new StreamRefused(`${this.asked.method} ${this.asked.url}`, status, headers, body);
  }

  #begin(response: IncomingMessage): void {
    this.#response = response;
    this.#set('open');
    const parser = new EventStreamParser({
      received: (block) => this.#received(block),
      commented: (text) => this.#comments.push(text),
      retryIs: (milliseconds) => (this.retry = milliseconds),
    });
    response.on('data', (text: string) => parser.feed(text));
    response.on('error', () => undefined); // of a connection that breaks: it closes next
    response.on('close', () => {
      if (this.#response === response && this.#state === 'open')
        this.#set(response.complete ? 'ended' : 'broken');
    });
  }

  #received(block: Block): void {
    this.#ids.received(block);
    const { type, data: text, id } = block;
    if (text !== undefined && type !== POSITION_TYPE) this.add({ type, data: jsonOrText(text), text, id });
  }

  #set(state: Exclude<TestStreamState, 'refused'> | StreamRefused): void {
    this.#state = state;
    const isOver = state !== 'open' && state !== 'connecting';
    this.isOver = isOver;
    if (isOver) this.#comments.end();
    else this.#comments.reopen();
    this.#changes.happened();
  }

  protected override story(): string {
    const { method, url } = this.asked;
    const comments = this.comments.map((comment) => JSON.stringify(comment)).join(', ');
    const answer = `${method} ${url} was answered ${this.status} and is ${this.state}.`;
    return `${answer} ${super.story()}${comments === '' ? '' : `\nComments: ${comments}`}`;
  }
}

function jsonOrText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
