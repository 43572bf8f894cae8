import type { AnyEvents, EventMap } from '../log/sse-event.js';
import { Arrivals } from './arrivals.js';
import { Listeners } from './environment.js';
import type { ClientOptions, ConnectOptions } from './options.js';
import { receivedOf, type News, type Received } from './received.js';
import type { ConnectionState } from './state.js';
import type { Message, Receiver, Transport } from './transport.js';

/**
 * A connection that comes back by itself, until the server says that there is nothing more, refuses it, or it is closed.
 *
 * ```
 * connecting ──► open ◄──► reconnecting
 *      └──────────┴─────────────┴────────► closed
 * ```
 *
 * Its transport (fetch-transport.ts) brings the blocks of the stream, and is told where to go on.
 */
export abstract class Client<Events extends EventMap, To extends Receiver = Receiver>
  extends Arrivals<Events>
  implements Receiver
{
  #state: ConnectionState = { kind: 'connecting' };
  readonly #states = new Listeners();
  readonly #stopping = new AbortController();

  constructor(
    protected readonly options: ClientOptions,
    protected readonly transport: Transport<To>,
  ) {
    super();
  }

  /** @internal */
  start(): this {
    const { signal } = this.options;
    signal?.addEventListener('abort', () => this.close(), { once: true, signal: this.#stopping.signal });
    if (signal?.aborted) this.close();
    else this.transport.start(this as never);
    return this;
  }

  get state(): ConnectionState {
    return this.#state;
  }

  /** Calls a function after each change of `state`. It is bound, as hooks take it. @returns a function that removes the listener */
  readonly subscribe = this.#states.add;

  /** Ends the connection. Nothing arrives any more. */
  close(): void {
    this.moved({ kind: 'closed', reason: 'stopped' });
  }

  protected isOver(): boolean {
    const state = this.#state;
    if (state.kind !== 'closed') return false;
    if (state.reason === 'failed') throw state.error;
    if (state.reason === 'refused' || state.reason === 'expired')
      throw new Error(`The server has refused the stream with status ${state.status}.`);
    return true;
  }

  // ---- What its transport tells it

  /** @internal */
  abstract position(): string | ReadonlyMap<string, string>;

  /** @internal */
  abstract receive(message: Message): void;

  /** @internal */
  moved(state: ConnectionState): void {
    if (this.#state.kind === 'closed') return;
    this.#state = state;
    if (state.kind === 'closed') {
      this.#stopping.abort();
      this.transport.close();
      this.ended(state.reason === 'stopped' ? 'stopped' : 'drained');
    }
    this.#states.call();
  }

  /** @internal */
  room(): Promise<void> | undefined {
    if (this.#state.kind === 'closed') return undefined;
    return this.roomIn()?.then(() => this.room());
  }

  /** A block, read; undefined where that fails, or nothing arrives any more. */
  protected read(message: Message, id: string, channel?: string): Received | undefined {
    if (this.#state.kind === 'closed') return undefined;
    try {
      return receivedOf(message, id, channel, this.options.parse);
    } catch (error) {
      this.moved({ kind: 'closed', reason: 'failed', error: error as Error });
      return undefined;
    }
  }

  protected handOn(received: Received): void {
    this.arrived(received);
    if (received.kind === 'news') this.inPlace(() => this.#tell(received.news));
  }

  #tell({ type, data }: News): void {
    const { onGap, onSnapshot, onDenied, onConnection, onExpired, onError } = this.options;
    if (type === 'gap') onGap?.(data);
    else if (type === 'snapshot') onSnapshot?.(data);
    else if (type === 'denied') onDenied?.(data);
    else if (type === 'connection') onConnection?.(data);
    else if (type === 'expired') onExpired?.();
    else if (type === 'error') onError?.(data);
  }
}

/** A client of one stream, whose channels the server chooses. */
export class SseClient<Events extends EventMap = AnyEvents> extends Client<Events> {
  #lastEventId: string;

  /** Use `connect()`. */
  constructor(options: Pick<ConnectOptions, 'lastEventId'> & ClientOptions, transport: Transport) {
    super(options, transport);
    this.#lastEventId = options.lastEventId ?? '';
  }

  /**
   * The position up to which events have arrived: for `lastEventId` of a later connection. In a loop over the client take the
   * `id` of the event that is done: later ones may wait.
   */
  get lastEventId(): string {
    return this.#lastEventId;
  }

  /** @internal */
  position(): string {
    return this.#lastEventId;
  }

  /** @internal */
  receive(message: Message): void {
    const { id = this.#lastEventId } = message;
    const received = this.read(message, id);
    if (!received) return;
    this.#lastEventId = id;
    this.handOn(received);
  }
}
