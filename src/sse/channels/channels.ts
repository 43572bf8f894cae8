import { hubClosed } from '../sse.errors.js';
import type { SseBackplane } from '../log/backplane.js';
import { Channel, type ChannelReader } from './channel.js';
import type { ChannelDefinitions } from './channel-definitions.js';
import type { RunQueue } from './run-queue.js';

/**
 * A feature that wants to know which channels are streamed in this process, in responses and elsewhere. It is told in
 * the turn in which that happens, and never throws.
 */
export interface ChannelObserver {
  /** A channel has its first stream, and is open. */
  used(channel: string): void;
  /** The last one has left it. */
  unused(channel: string): void;
}

/**
 * The channels that somebody listens to: one is open from its first reader to its last. Its log stays with the backplane
 * for the channel's `ttl`.
 */
export class Channels {
  readonly #channels = new Map<string, Channel>();
  /** The channels of which the observers were told that they are used. */
  readonly #used = new Set<Channel>();
  readonly #observers: ChannelObserver[] = [];
  #closed = false;

  constructor(
    private readonly backplane: SseBackplane,
    private readonly definitions: ChannelDefinitions,
    readonly queue: RunQueue,
    /** The name of this instance, for diagnostics. */
    private readonly hub: string,
  ) {}

  /** Adds an observer, at the start. It is told at once of the channels that are used already. */
  observe(observer: ChannelObserver): void {
    this.#observers.push(observer);
    for (const { name } of this.#used) observer.used(name);
  }

  /**
   * Adds a reader to a channel, whose name the caller has checked. The first reader opens it.
   *
   * @throws SseError `HUB_CLOSED`
   */
  enter<Reader extends ChannelReader>(name: string, readerOf: (channel: Channel) => Reader): Reader {
    if (this.#closed) throw hubClosed();
    const channel = this.#channels.get(name) ?? this.#open(name);
    const reader = readerOf(channel);
    channel.readers.add(reader);
    return reader;
  }

  /** The last reader to leave closes the channel. */
  leave(reader: ChannelReader): void {
    const { channel } = reader;
    if (!channel.readers.delete(reader) || channel.readers.size > 0) return;
    this.#channels.delete(channel.name);
    channel.close();
    if (this.#used.delete(channel)) for (const observer of this.#observers) observer.unused(channel.name);
  }

  /** The channels that somebody listens to here. */
  get all(): Iterable<Channel> {
    return this.#channels.values();
  }

  /** A channel that somebody listens to here. */
  get(name: string): Channel | undefined {
    return this.#channels.get(name);
  }

  subscriberCount(name: string): number {
    return this.#channels.get(name)?.readers.size ?? 0;
  }

  /** The channels that are streamed, with the number of their streams. */
  counts(): { readonly channel: string; readonly subscribers: number }[] {
    return [...this.#channels.values()].map(({ name, readers }) => ({
      channel: name,
      subscribers: readers.size,
    }));
  }

  /** Ends every reader that is left, after what was published before. */
  close(): void {
    this.#closed = true;
    for (const channel of [...this.#channels.values()]) {
      channel.readNow();
      for (const reader of [...channel.readers]) reader.end();
    }
  }

  #open(name: string): Channel {
    const rules = this.definitions.rulesOf(name);
    const channel = new Channel(name, rules, this.hub, this.backplane, this.queue);
    this.#channels.set(name, channel);
    // Not before the log is open, so that events that an observer publishes are live to readers that wait for the opening.
    const opened = (): void => {
      if (this.#channels.get(name) !== channel) return;
      this.#used.add(channel);
      for (const observer of this.#observers) observer.used(name);
    };
    channel.opened.then(opened, () => undefined);
    return channel;
  }
}
