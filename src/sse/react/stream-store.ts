import {
  connect,
  type ConnectionState,
  type ConnectOptions,
  type ReceivedEvent,
  type SseClient,
} from '../client/index.js';
import type { EventMap } from '../log/sse-event.js';
import { CONNECTING } from './connection.js';
import { newest, Store } from './store.js';

/** Functions by the type of the events that they are called with; `message` for those without a type. */
export type Handlers<Events extends EventMap> = {
  readonly [Type in keyof Events & string]?: (
    data: Events[Type],
    event: ReceivedEvent<Type, Events[Type]>,
  ) => void;
};

/** What a component does with a stream. */
export interface StreamUse<Events extends EventMap> {
  readonly handlers: Handlers<Events>;
  readonly options: ConnectOptions;
}

/** A stream in one component. */
export class StreamStore<Events extends EventMap> extends Store<ConnectionState, StreamUse<Events>> {
  #lastEventId: string;
  #client: SseClient<Events> | undefined;
  /** Takes the listeners off, by the type of their events. */
  readonly #listening = new Map<string, () => void>();

  constructor(
    private readonly to: string | SseClient<Events>,
    use: StreamUse<Events>,
  ) {
    super(typeof to === 'string' ? CONNECTING : to.state, use, CONNECTING);
    this.#lastEventId = use.options.lastEventId ?? '';
  }

  override renew(use: StreamUse<Events>): void {
    super.renew(use);
    this.#listen();
  }

  protected begin(): () => void {
    const { to } = this;
    const { options } = this.options;
    const client =
      typeof to === 'string'
        ? connect<Events>(to, {
            ...newest(options, () => this.options.options),
            lastEventId: this.#lastEventId,
          })
        : to;
    this.#client = client;
    this.#listen();
    const show = (): void => this.set(client.state);
    const stop = client.subscribe(show);
    show();
    return () => {
      stop();
      for (const off of this.#listening.values()) off();
      this.#listening.clear();
      this.#client = undefined;
      if (typeof to !== 'string') return;
      this.#lastEventId = client.lastEventId;
      client.close();
    };
  }

  /** Also a later render may have a handler for another type. */
  #listen(): void {
    const client = this.#client;
    if (!client) return;
    for (const type of Object.keys(this.options.handlers) as (keyof Events & string)[]) {
      if (this.#listening.has(type)) continue;
      const off = client.on(type, (data, event) =>
        this.later(() => this.options.handlers[type]?.(data, event)),
      );
      this.#listening.set(type, off);
    }
  }
}
