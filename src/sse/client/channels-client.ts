import type { AnyEvents, EventsOf } from '../log/sse-event.js';
import { ChannelClient, type ChannelOptions, type ChannelState } from './channel.js';
import { channelsIn, positionIn } from './channel-position.js';
import { Client } from './client.js';
import type { ClientOptions } from './options.js';
import type { Received } from './received.js';
import { SharedChannel, type Tell } from './shared-channel.js';
import type { ConnectionState } from './state.js';
import type { ChannelsReceiver, ChannelsTransport, Message } from './transport.js';

/** Channels that are remembered after they were left, until the connection is made anew. */
const MAX_LEFT = 100;

/** A client of the endpoint: one connection for the channels that it names, which come and go. */
export class ChannelsClient extends Client<AnyEvents, ChannelsReceiver> implements ChannelsReceiver {
  readonly #channels = new Map<string, SharedChannel>();
  readonly #changes: Pick<ChannelsTransport, 'channelsChanged'>;

  /**
   * Use `connectChannels()`.
   *
   * @param makeTransport for each channel that somebody asks for later than others
   */
  constructor(
    options: ClientOptions,
    transport: ChannelsTransport,
    private readonly makeTransport: () => ChannelsTransport,
  ) {
    super(options, transport);
    this.#changes = transport;
  }

  /**
   * Joins a channel for as long as somebody wants it: it is left when all that were given it have closed it. Channels that are
   * asked for in one turn are joined together, and all of them again after each reconnect.
   *
   * @param name as `ChannelDefinition.of()` gives it, so that its events are typed
   */
  channel<Name extends string>(name: Name, options: ChannelOptions = {}): ChannelClient<EventsOf<Name>> {
    const from = positionIn(options.lastEventId ?? '', name);
    const shared =
      this.#channels.get(name) ?? new SharedChannel(from, (...how) => this.#streamAlone(name, ...how));
    this.#channels.set(name, shared);
    const channel: ChannelClient<EventsOf<Name>> = new ChannelClient<EventsOf<Name>>(name, options, {
      members: shared.members,
      position: () => shared.positionOf(channel),
      isOver: () => this.isOver(),
      leave: () => {
        shared.delete(channel);
        this.#changes.channelsChanged();
      },
    });
    shared.add(channel, from);
    this.#changes.channelsChanged();
    return channel;
  }

  // ---- What its transport tells it

  /** @internal */
  position(): ReadonlyMap<string, string> {
    const wanted = [...this.#channels].filter(([, { isWanted }]) => isWanted);
    return new Map(wanted.map(([name, { position }]) => [name, position]));
  }

  /** @internal */
  receive(message: Message): void {
    const moved = channelsIn(message.id);
    const named = moved.length === 1 ? moved[0]?.[0] : undefined;
    const received = this.read(message, message.id ?? '', named);
    if (!received) return;
    // What the hub tells of a channel says which: it may come without an id.
    const channel = named ?? channelOf(received);
    for (const [name, position] of moved)
      if (name !== channel) this.#channels.get(name)?.receive(undefined, position);
    if (channel !== undefined) this.#channels.get(channel)?.receive(received, moved[0]?.[1]);
    if (received.kind === 'news' && received.news.type === 'denied') {
      const { data } = received.news;
      // It was left meanwhile, or another tab has asked for it.
      if (!this.#channels.has(data.channel)) return;
      this.#lose(data.channel, { kind: 'denied', reason: data.reason });
    }
    this.handOn(received);
  }

  /** @internal */
  joined(names: readonly string[], positions: Readonly<Record<string, string>>): void {
    for (const name of names) this.#channels.get(name)?.joined(positions[name] ?? '');
  }

  /** @internal */
  left(names: readonly string[]): void {
    for (const name of names) this.#channels.get(name)?.left();
    // Blocks of them may still be on their way, so they are kept: some of them, as a page may go through many.
    this.#dropUnwanted(MAX_LEFT);
  }

  /** @internal */
  refused(names: readonly string[], message: string): void {
    for (const name of names) this.#lose(name, { kind: 'refused', message });
  }

  /** @internal */
  override moved(state: ConnectionState): void {
    if (state.kind === 'open') for (const channel of this.#channels.values()) channel.began();
    super.moved(state);
    if (state.kind !== 'open') this.#dropUnwanted();
    if (state.kind !== 'closed') return;
    for (const channel of this.#channels.values())
      channel.close(state.reason === 'stopped' ? 'stopped' : 'drained');
  }

  override roomIn(): Promise<void> | undefined {
    for (const channel of this.#channels.values()) {
      const room = channel.roomIn();
      if (room) return room;
    }
    return super.roomIn();
  }

  protected override get isUsed(): boolean {
    return this.position().size > 0 || super.isUsed;
  }

  // ---- Its channels

  /** The client does not get a channel, or not any more. */
  #lose(name: string, state: ChannelState): void {
    const channel = this.#channels.get(name);
    if (!channel) return;
    this.#channels.delete(name);
    channel.moved(state);
    channel.close('drained');
  }

  /** Forgets channels that nobody wants, but for the last ones. */
  #dropUnwanted(kept = 0): void {
    const unwanted = [...this.#channels].filter(([, { isWanted }]) => !isWanted);
    for (const [name] of unwanted.slice(0, Math.max(unwanted.length - kept, 0))) this.#channels.delete(name);
  }

  /** Streams a channel by itself. @returns ends that */
  #streamAlone(name: string, from: string, tell: Tell, ended: () => void): () => void {
    if (this.state.kind === 'closed') return () => undefined;
    const transport = this.makeTransport();
    let position = from;
    const receiver: ChannelsReceiver = {
      position: () => new Map([[name, position]]),
      moved: ({ kind }) => {
        if (kind === 'closed') ended();
      },
      receive: (message) => {
        const moved = new Map(channelsIn(message.id)).get(name);
        position = moved ?? position;
        const received = this.read(message, message.id ?? '', name);
        if (received) tell(received, moved);
      },
      refused: () => {
        transport.close();
        ended();
      },
      room: () => this.room(),
    };
    transport.start(receiver);
    return () => transport.close();
  }
}

/** The channel that news of the hub are about. */
const channelOf = (received: Received): string | undefined =>
  received.kind === 'news'
    ? (received.news.data as { readonly channel?: string } | null)?.channel
    : undefined;
