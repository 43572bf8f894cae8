import type { AnyReceived, ChannelState } from '../client/index.js';
import type { EventMap, Gap } from '../log/sse-event.js';
import type { Connection } from './connection.js';
import type { Handlers } from './stream-store.js';
import { Store } from './store.js';

/** What a component does with a channel. */
export type ChannelUse<Events extends EventMap, State> = {
  /**
   * The position to begin after, as `hub.history()` has it: that of `initial`. Taken when the component is mounted.
   *
   * @defaultValue none
   */
  readonly lastEventId?: string;
  /** Functions by the type of the events that they are called with, once per event, in the next frame. */
  readonly on?: Handlers<Events>;
  /** The hub cannot give everything after the client's position. What is left follows, or a snapshot. */
  readonly onGap?: (gap: Gap) => void;
} & (
  | {
      /** The value before the first event. Taken when the component is mounted, as by `useState()`. */
      readonly initial: State;
      /** Gives the value after an event, as a new object. A snapshot of the channel takes the place of the value. */
      readonly reduce: (value: State, event: AnyReceived<Events>) => State;
    }
  | { readonly initial?: never; readonly reduce?: never }
);

/** A channel, as a component shows it. */
export interface ChannelView<State> {
  /** What `reduce` has made of `initial` and the events. */
  readonly value: State;
  readonly state: ChannelState;
}

const JOINING: ChannelState = { kind: 'joining' };

/** A channel in one component. */
export class ChannelStore<Events extends EventMap, State> extends Store<
  ChannelView<State>,
  ChannelUse<Events, State>
> {
  #lastEventId: string;

  constructor(
    private readonly connection: Connection,
    private readonly name: string,
    options: ChannelUse<Events, State>,
  ) {
    super({ value: options.initial as State, state: JOINING }, options);
    this.#lastEventId = options.lastEventId ?? '';
  }

  protected begin(): () => void {
    const channel = this.connection.acquire().channel(this.name, {
      lastEventId: this.#lastEventId,
      onGap: (gap) => this.later(() => this.options.onGap?.(gap)),
    });
    const live = channel.fold(this.value.value, (value, event) =>
      this.#apply(value, event as AnyReceived<Events>),
    );
    const show = (): void => this.set({ value: live.value, state: channel.state });
    if (channel.state.kind !== this.value.state.kind) show();
    const stops = [live.subscribe(show), channel.subscribe(show)];
    return () => {
      for (const stop of stops) stop();
      channel.close();
      this.#lastEventId = channel.lastEventId;
      this.connection.release();
    };
  }

  #apply(value: State, event: AnyReceived<Events>): State {
    const { on, reduce } = this.options;
    if (on?.[event.type]) this.later(() => this.options.on?.[event.type]?.(event.data, event));
    return reduce ? reduce(value, event) : value;
  }
}
