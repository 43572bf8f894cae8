import { RESERVED_TYPES } from '../log/sse-event.js';
import { addressOf } from './environment.js';
import { FetchTransport } from './fetch-transport.js';
import type { ConnectOptions } from './options.js';
import type { Receiver, Transport } from './transport.js';

/** Options of `connectByEventSource()`. */
export interface EventSourceOptions extends Omit<
  ConnectOptions,
  'method' | 'body' | 'headers' | 'fetch' | 'maxEventLength' | 'timeout'
> {
  /** The types of the events that arrive, beside `message`: an EventSource has to know them. */
  readonly types: readonly string[];
}

/** What is used of the browser's own. */
interface BrowserEvent {
  /** Undefined in an event of the EventSource itself. */
  readonly data?: string;
  readonly lastEventId: string;
}
interface BrowserEventSource {
  readonly readyState: number;
  addEventListener(type: string, listener: (event: BrowserEvent) => void): void;
  close(): void;
}
declare const EventSource: new (url: URL, init: { withCredentials: boolean }) => BrowserEventSource;

const CLOSED = 2;

/**
 * Streams by the browser's own EventSource for as long as that comes back by itself. It does not say why it has given up, so a
 * `FetchTransport` goes on from there: that finds out, and comes back where an EventSource would not.
 */
export class EventSourceTransport implements Transport {
  #stop = (): void => undefined;

  constructor(
    private readonly url: string | URL,
    private readonly options: EventSourceOptions,
  ) {}

  start(receiver: Receiver): void {
    const { types, credentials } = this.options;
    const url = addressOf(this.url);
    const lastEventId = receiver.position() as string;
    if (lastEventId !== '') url.searchParams.set('lastEventId', lastEventId);
    const source = new EventSource(url, { withCredentials: credentials === 'include' });
    this.#stop = () => source.close();
    source.addEventListener('open', () => receiver.moved({ kind: 'open' }));
    for (const type of new Set(['message', ...types, ...RESERVED_TYPES]))
      source.addEventListener(type, ({ data, lastEventId: id }) => {
        // `error` is an event of the hub, or of the EventSource itself, which has no data.
        if (data !== undefined) receiver.receive({ event: type, id, data });
        else if (source.readyState === CLOSED) this.#goOn(receiver);
        else receiver.moved({ kind: 'reconnecting', attempt: 0, at: Date.now(), error: undefined });
      });
  }

  close(): void {
    this.#stop();
  }

  #goOn(receiver: Receiver): void {
    const transport = new FetchTransport(this.url, this.options);
    this.#stop = () => transport.close();
    transport.start(receiver);
  }
}
