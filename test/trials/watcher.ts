import { once } from 'node:events';
import { request, type ClientRequest, type IncomingMessage } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';

/** What a `gap` says, and where it was: after how many events. */
export interface SeenGap {
  readonly reason: string;
  readonly id: string;
  readonly after: number;
}

/** A reconnect: when, and how long the server had asked to wait before it. */
export interface Return {
  readonly at: number;
  readonly retry: number;
}

/**
 * A client that does what the HTML standard says of an EventSource, and keeps of many events what the
 * trials ask about. It is dead, as an EventSource is, once it is answered anything but 200 with a stream.
 */
export class Watcher {
  /** Of all events, in the order in which they came. */
  readonly ids: string[] = [];
  readonly gaps: SeenGap[] = [];
  readonly returns: Return[] = [];
  /** Streams that it has had of an instance, which begin with its position. */
  connected = 0;
  /** Blocks without a field. */
  heartbeats = 0;
  /** Why it came back no more. */
  death: string | undefined;
  /** Whether a stream is open of which it knows the position. */
  isListening = false;
  lastEventId: string;
  #retry = 3_000;
  #request: ClientRequest | undefined;
  readonly #leaving = new AbortController();

  /** @param saw is told of each event */
  constructor(
    readonly url: string,
    private readonly saw: (id: string, data: string) => void,
    lastEventId = '',
  ) {
    this.lastEventId = lastEventId;
    void this.#live();
  }

  close(): void {
    this.#leaving.abort();
    this.#request?.destroy();
  }

  async #live(): Promise<void> {
    const { signal } = this.#leaving;
    for (;;) {
      await this.#connect().catch(() => undefined); // a connection that is refused or breaks
      this.isListening = false;
      if (this.death !== undefined || signal.aborted) return;
      const retry = this.#retry;
      await delay(retry, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      this.returns.push({ at: performance.now(), retry });
    }
  }

  async #connect(): Promise<void> {
    const position = this.lastEventId === '' ? {} : { 'last-event-id': this.lastEventId };
    this.#request = request(this.url, {
      agent: false,
      headers: { accept: 'text/event-stream', ...position },
    });
    this.#request.end();
    const [response] = (await once(this.#request, 'response')) as [IncomingMessage];
    this.#request.on('error', () => undefined);
    const type = response.headers['content-type'] ?? '';
    if (response.statusCode !== 200 || !type.startsWith('text/event-stream')) {
      this.death = `${response.statusCode} ${type}`;
      response.resume();
      return;
    }
    let rest = '';
    for await (const chunk of response.setEncoding('utf8') as AsyncIterable<string>) {
      let text = rest + chunk;
      for (; text.startsWith(':\n'); text = text.slice(2)) this.heartbeats++;
      const blocks = text.split('\n\n');
      rest = blocks.pop()!; // what no blank line ends is never dispatched
      for (const block of blocks) this.#dispatch(block);
    }
  }

  #dispatch(block: string): void {
    let type = 'message';
    let data: string | undefined;
    for (const line of block.split('\n')) {
      const colon = line.indexOf(': ');
      const value = line.slice(colon + 2);
      const field = colon > 0 ? line.slice(0, colon) : '';
      if (field === 'id') {
        this.lastEventId = value;
        if (!this.isListening) this.connected++;
        this.isListening = true;
      } else if (field === 'retry') this.#retry = Number(value);
      else if (field === 'event') type = value;
      else if (field === 'data') data = data === undefined ? value : `${data}\n${value}`;
    }
    if (data === undefined || type === 'sse-position') return;
    if (type === 'gap') {
      const { reason } = JSON.parse(data) as { reason: string };
      this.gaps.push({ reason, id: this.lastEventId, after: this.ids.length });
    } else {
      this.ids.push(this.lastEventId);
      this.saw(this.lastEventId, data);
    }
  }
}
