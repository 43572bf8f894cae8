import type { AnyEvents, EventMap, Gap } from '../log/sse-event.js';
import { Arrivals } from './arrivals.js';
import { Listeners } from './environment.js';
import type { Live } from './live.js';
import type { ChannelMember, Received } from './received.js';
import type { ChannelReader } from './shared-channel.js';

/** The state of a channel. Each is a new object, so that it can be compared by identity. */
export type ChannelState =
  /** The server was asked for it, or will be. */
  | { readonly kind: 'joining' }
  /** It is streamed, or will be again after a reconnect. */
  | { readonly kind: 'joined' }
  /** The client may not stream it, or may no more. */
  | { readonly kind: 'denied'; readonly reason: 'forbidden' | 'revoked' }
  /** The name is invalid, there are too many channels, or the connection that catches up was refused. */
  | { readonly kind: 'refused'; readonly message: string }
  /** `close()` was called. */
  | { readonly kind: 'left' };

/** Options of `client.channel()`. */
export interface ChannelOptions {
  /** The position to begin after, as `hub.history()` has it. @defaultValue none */
  readonly lastEventId?: string;
  /** The hub cannot give everything after the client's position. What is left follows, or a snapshot. */
  readonly onGap?: (gap: Gap) => void;
  /** The state of the channel, in place of the events up to now. */
  readonly onSnapshot?: (state: unknown) => void;
}

/** What a channel needs of its client. */
export interface ChannelHome {
  readonly members: Live<readonly ChannelMember[]>;
  /** The position up to which the channel has got everything. */
  position(): string;
  leave(): void;
  /** Whether the client is closed. @throws Error where it was refused, or has failed */
  isOver(): boolean;
}

/** One use of a channel. All uses of the same channel share one stream. */
export class ChannelClient<Events extends EventMap = AnyEvents>
  extends Arrivals<Events>
  implements ChannelReader
{
  #state: ChannelState = { kind: 'joining' };
  /** Where it was left. */
  #last: string | undefined;
  readonly #states = new Listeners();

  /** Use `client.channel()`. */
  constructor(
    readonly name: string,
    private readonly options: ChannelOptions,
    private readonly home: ChannelHome,
  ) {
    super();
  }

  get state(): ChannelState {
    return this.#state;
  }

  /** Calls a function after each change of `state`. It is bound, as hooks take it. @returns a function that removes the listener */
  readonly subscribe = this.#states.add;

  /**
   * The position up to which events have arrived here, for `lastEventId` of a later `client.channel()`. In a loop take the `id` of
   * the event that is done: later ones may wait.
   */
  get lastEventId(): string {
    return this.#last ?? this.home.position();
  }

  /** Those who stream the channel, in the order of their coming: for channels with `presence: { events: true }`. */
  get members(): Live<readonly ChannelMember[]> {
    return this.home.members;
  }

  /** Ends this use of the channel. The last one leaves the channel. */
  close(): void {
    if (!this.#isWanted) return;
    this.#last = this.home.position();
    this.home.leave();
    this.moved({ kind: 'left' });
    this.ended('stopped');
  }

  protected isOver(): boolean {
    return !this.#isWanted || this.home.isOver();
  }

  get #isWanted(): boolean {
    return this.#state.kind === 'joining' || this.#state.kind === 'joined';
  }

  /** @internal */
  moved(state: ChannelState): void {
    if (this.#state.kind === 'left') return;
    if (state.kind === 'denied' || state.kind === 'refused') this.#last ??= this.home.position();
    this.#state = state;
    this.#states.call();
  }

  /** @internal */
  receive(received: Received): void {
    this.arrived(received);
    if (received.kind === 'event') return;
    const { type, data } = received.news;
    if (type === 'gap') this.inPlace(() => this.options.onGap?.(data));
    else if (type === 'snapshot') this.inPlace(() => this.options.onSnapshot?.(data.state));
  }
}
