import { EventEmitter, once } from 'node:events';
import { request } from 'node:http';
import type { ClientRequest, IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { createParser } from 'eventsource-parser';
import { whenTestEnds } from './clean-up.js';
import { Inbox } from './inbox.js';

/** An event as it came: `id` is its own id line, undefined where it has none. */
export interface ReceivedEvent {
  /** `message` where the event has no name, as in a browser. */
  readonly type: string;
  readonly id: string | undefined;
  readonly data: string;
}

/** Everything between two blank lines, also what dispatches no event. */
export interface Block {
  /** As it came, without the blank line. */
  readonly raw: string;
  readonly id: string | undefined;
  readonly retry: number | undefined;
  /** The text after each colon at the beginning of a line. */
  readonly comments: readonly string[];
  /** The event that it dispatches; undefined where it has no data line, or only tells the position. */
  readonly event: ReceivedEvent | undefined;
}

/**
 * How a client's stream came to its end: the server ended it, the connection broke, the test left, or
 * (when it reconnects) the server answered with another status than 200.
 */
export type Ending = 'ended' | 'broken' | 'left' | 'refused';

export interface SseClientOptions {
  readonly headers?: Readonly<Record<string, string>>;
  /** `own` asks for ids of the event's own channel, which the client merges. */
  readonly ids?: 'own';
  /** Sent as `Last-Event-ID` with the first request. */
  readonly lastEventId?: string;
  readonly method?: string;
  readonly body?: string;
  /**
   * Comes back as an EventSource does: after what `retry:` said, or the milliseconds given here, with
   * its `Last-Event-ID`, until the server answers anything but 200.
   */
  readonly reconnect?: boolean | number;
}

/**
 * A client with the behaviour of an EventSource that shows everything that comes over the wire. It
 * leaves by itself when the test ends.
 *
 * ```ts
 * const client = await SseClient.open(`${url}/events`);
 * const [first] = await client.take(1);
 * client.reset();
 * ```
 */
export class SseClient {
  /** As an EventSource would send it when it reconnects; '' while it has none. With own ids all of them in one. */
  lastEventId: string;
  /** By channel, of own ids: `*` for one without history. */
  readonly positions: Record<string, string> = {};
  /** Of the newest response. */
  status = 0;
  headers: IncomingHttpHeaders = {};
  /** The text of the newest response, if it is no event stream. Complete when the client is `closed`. */
  body = '';
  /** Milliseconds that the server asked to wait before a reconnect. */
  retry: number | undefined;
  /** How many responses with an event stream it had. */
  connected = 0;
  /** Resolves when the stream is over for good. */
  readonly closed: Promise<Ending>;
  readonly #events = new Inbox<ReceivedEvent>();
  readonly #blocks = new Inbox<Block>();
  readonly #signals = new EventEmitter();
  readonly #leaving = new AbortController();
  #request: ClientRequest | undefined;
  #isPaused = false;
  #hasLeft = false;

  private constructor(
    readonly url: string,
    private readonly options: SseClientOptions,
  ) {
    this.lastEventId = options.lastEventId ?? '';
    this.closed = this.#live();
    whenTestEnds(() => this.close());
  }

  /** Resolves when the first response has begun, whatever its status; rejects where there is none. */
  static async open(url: string, options: SseClientOptions = {}): Promise<SseClient> {
    const client = new SseClient(url, options);
    await once(client.#signals, 'response');
    return client;
  }

  /** All events so far, those that were taken too. */
  get events(): readonly ReceivedEvent[] {
    return this.#events.all;
  }

  /** All blocks so far. */
  get blocks(): readonly Block[] {
    return this.#blocks.all;
  }

  /** The next event; fails where the stream ends before it. */
  async next(): Promise<ReceivedEvent> {
    return (await this.take(1))[0]!;
  }

  async take(count: number): Promise<ReceivedEvent[]> {
    return count === 0 ? [] : this.#events.until((_, taken) => taken === count);
  }

  /** The next events up to the one that it is about. */
  async until(predicate: (event: ReceivedEvent) => boolean): Promise<ReceivedEvent[]> {
    return this.#events.until(predicate);
  }

  /** The events that come until the stream is over. */
  async rest(): Promise<ReceivedEvent[]> {
    return this.#events.rest();
  }

  /** The next block; blocks and events are taken each by its own. */
  async nextBlock(): Promise<Block> {
    return (await this.untilBlock(() => true))[0]!;
  }

  async untilBlock(predicate: (block: Block) => boolean): Promise<Block[]> {
    return this.#blocks.until(predicate);
  }

  /** Resolves when it is connected for the n-th time. */
  async untilConnected(count: number): Promise<void> {
    while (this.connected < count) await once(this.#signals, 'response');
  }

  /** By which the server knows the connection. */
  get localPort(): number | undefined {
    return this.#request?.socket?.localPort;
  }

  /** Stops reading, so that the buffers between here and the server fill up. */
  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#signals.emit('resumed');
  }

  /** Ends the connection by FIN. One that reconnects comes back. */
  destroy(): void {
    this.#hasLeft ||= !this.#reconnects;
    this.#request?.destroy();
    this.resume();
  }

  /** Ends the connection by RST. One that reconnects comes back. */
  reset(): void {
    this.#hasLeft ||= !this.#reconnects;
    this.#request?.socket?.resetAndDestroy();
    this.resume();
  }

  /** Leaves for good. */
  close(): void {
    this.#hasLeft = true;
    this.#request?.destroy();
    this.#leaving.abort();
    this.resume();
  }

  get #reconnects(): boolean {
    return this.options.reconnect !== undefined && this.options.reconnect !== false;
  }

  async #live(): Promise<Ending> {
    let ending: Ending;
    do {
      ending = await this.#connect();
      if (ending !== 'refused' && !this.#hasLeft && this.#reconnects) await this.#pause();
    } while (ending !== 'refused' && !this.#hasLeft && this.#reconnects);
    if (this.#hasLeft && ending === 'broken') ending = 'left';
    this.#events.end(ending);
    this.#blocks.end(ending);
    return ending;
  }

  async #pause(): Promise<void> {
    const { reconnect } = this.options;
    const wait = typeof reconnect === 'number' ? reconnect : (this.retry ?? 3_000);
    const { signal } = this.#leaving;
    await delay(wait, undefined, { signal }).catch(() => {});
  }

  async #connect(): Promise<Ending> {
    const { method = 'GET', body } = this.options;
    const sent = request(this.url, { method, agent: false, headers: this.#headers() });
    this.#request = sent;
    sent.end(body);
    try {
      const [response] = (await once(sent, 'response')) as [IncomingMessage];
      sent.on('error', () => {}); // of a connection that the test or the server cuts
      return await this.#read(response);
    } catch (error) {
      // The first request of a client that gets no answer is a mistake of the test.
      if (this.connected === 0 && !this.#hasLeft) this.#signals.emit('error', error);
      return 'broken';
    }
  }

  #headers(): Record<string, string> {
    return {
      accept: this.options.ids === 'own' ? 'text/event-stream;ids=own' : 'text/event-stream',
      ...this.options.headers,
      // The bytes of a header are UTF-8; Node takes each for a character.
      ...(this.lastEventId !== '' && {
        'last-event-id': Buffer.from(this.lastEventId).toString('latin1'),
      }),
    };
  }

  async #read(response: IncomingMessage): Promise<Ending> {
    const { statusCode = 0, headers } = response;
    const isStream = headers['content-type']?.startsWith('text/event-stream') ?? false;
    this.status = statusCode;
    this.headers = headers;
    this.body = '';
    if (isStream) this.connected++;
    this.#signals.emit('response');
    let text = '';
    try {
      for await (const chunk of response.setEncoding('utf8')) {
        while (this.#isPaused) await once(this.#signals, 'resumed');
        text += chunk as string;
        if (!isStream) continue;
        text = this.#receivedAll(text);
      }
    } catch {
      return 'broken';
    } finally {
      if (!isStream) this.body = text;
    }
    return statusCode === 200 && isStream ? 'ended' : this.#reconnects ? 'refused' : 'ended';
  }

  /** Takes what is whole. What is not ended by a blank line never counts, but for a heartbeat: that is one line. */
  #receivedAll(text: string): string {
    for (;;) {
      const isHeartbeat = text.startsWith(':\n');
      const end = isHeartbeat ? 1 : text.indexOf('\n\n');
      if (end < 0) return text;
      this.#received(text.slice(0, end));
      text = text.slice(end + (isHeartbeat ? 1 : 2));
    }
  }

  #received(raw: string): void {
    const block = parseBlock(raw);
    if (block.id !== undefined) this.lastEventId = this.#merged(block.id);
    if (block.retry !== undefined) this.retry = block.retry;
    this.#blocks.push(block);
    if (block.event) this.#events.push(block.event);
  }

  #merged(id: string): string {
    if (!this.headers['content-type']?.includes(';ids=own')) return id;
    for (const part of id.split('&')) {
      const [name, position] = part.split('=');
      this.positions[decodeURIComponent(name!)] = position!;
    }
    const all = Object.entries(this.positions);
    return all.map(([name, position]) => `${encodeURIComponent(name)}=${position}`).join('&');
  }
}

/** Reads one block of an event stream as the HTML standard says. */
function parseBlock(raw: string): Block {
  const comments: string[] = [];
  let retry: number | undefined;
  let event: ReceivedEvent | undefined;
  const positionType = 'sse-position';
  const parser = createParser({
    onComment: (comment) => comments.push(comment),
    onRetry: (milliseconds) => (retry = milliseconds),
    onEvent: ({ event: type = 'message', id, data }) => (event = { type, id, data }),
  });
  // The parser keeps the id of a block that dispatches nothing to itself.
  const id = raw.split('\n').findLast((line) => /^id(:|$)/.test(line) && !line.includes('\0'));
  parser.feed(`${raw}\n\n`);
  if (event?.type === positionType) event = undefined;
  return { raw, id: id?.replace(/^id:? ?/, ''), retry, comments, event };
}
