import { hubClosed } from '../sse.errors.js';
import type { SseBackplane } from '../log/backplane.js';
import { Channel, type ChannelReader } from './channel.js';
import type { ChannelDefinitions } from './channel-definitions.js';
import type { RunQueue } from './run-queue.js';

/** A channel that is open, and who reads it. */
interface HeldChannel {
  readonly channel: Channel;
  readonly readers: Set<ChannelReader>;
  /** Whether it was said that it is used. */
  isTold: boolean;
}

/**
 * A feature that wants to know which channels are streamed in this process, in responses and elsewhere. It is told in
 * the turn in which that happens, and never throws.
 */
export interface ChannelObserver {
  /** Somebody streams a channel that nobody did, and it is open. */
  used(channel: string): void;
  /** The last one has left it. */
  unused(channel: string): void;
}

/** The channels that somebody listens to. */
export class Channels {
  readonly #open = new Map<string, HeldChannel>();
  readonly #observers: ChannelObserver[] = [];
  #closed = false;

  constructor(
    private readonly backplane: SseBackplane,
    private readonly definitions: ChannelDefinitions,
    readonly queue: RunQueue,
  ) {}

  /** Adds an observer, at the start. It is told at once of the channels that are used already. */
  observe(observer: ChannelObserver): void {
    this.#observers.push(observer);
    for (const [name, { isTold }] of this.#open) if (isTold) observer.used(name);
  }

  /**
   * Has a channel read: it is open from the first reader to the last.
   *
   * @throws SseError `HUB_CLOSED`; `INVALID_CHANNEL` and `UNKNOWN_CHANNEL` were thrown before
   */
  enter<Reader extends ChannelReader>(name: string, readerOf: (channel: Channel) => Reader): Reader {
    if (this.#closed) throw hubClosed();
    let held = this.#open.get(name);
    if (!held) {
      const settings = this.definitions.settingsOf(name);
      const channel = new Channel(
        name,
        settings,
        (follower) => this.backplane.follow(name, settings, follower),
        this.queue,
      );
      const readers = new Set<ChannelReader>();
      channel.changes.subscribe((when) => {
        for (const reader of readers) reader.changed(when);
      });
      held = { channel, readers, isTold: false };
      this.#open.set(name, held);
      this.#tellWhenOpen(held);
    }
    const reader = readerOf(held.channel);
    held.readers.add(reader);
    return reader;
  }

  /** The last one to leave closes the channel; its log stays with the backplane for its `ttl`. */
  leave(reader: ChannelReader): void {
    const { channel } = reader;
    const held = this.#open.get(channel.name);
    if (held?.channel !== channel || !held.readers.delete(reader) || held.readers.size > 0) return;
    this.#open.delete(channel.name);
    channel.close();
    if (held.isTold) for (const observer of this.#observers) observer.unused(channel.name);
  }

  subscriberCount(name: string): number {
    return this.#open.get(name)?.readers.size ?? 0;
  }

  get subscribers(): number {
    let count = 0;
    for (const { readers } of this.#open.values()) count += readers.size;
    return count;
  }

  /** Ends every reader that is left, after what was published before. */
  close(): void {
    this.#closed = true;
    for (const { channel, readers } of [...this.#open.values()]) {
      channel.readNow();
      for (const reader of [...readers]) reader.end();
    }
  }

  /** Not before: what is published on hearing of it is live to those who wait for the channel to open. */
  #tellWhenOpen(held: HeldChannel): void {
    const { channel } = held;
    const tell = (): void => {
      if (this.#open.get(channel.name) !== held) return;
      held.isTold = true;
      for (const observer of this.#observers) observer.used(channel.name);
    };
    channel.opened.then(tell, () => undefined);
  }
}
