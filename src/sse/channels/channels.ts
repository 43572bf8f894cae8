import { Subject, type Observable } from 'rxjs';
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

/** Whether anybody streams a channel. */
export interface ChannelUsage {
  readonly channel: string;
  readonly isUsed: boolean;
}

/** The channels that somebody listens to. */
export class Channels {
  readonly #open = new Map<string, HeldChannel>();
  readonly #uses = new Subject<ChannelUsage>();
  #closed = false;

  constructor(
    private readonly backplane: SseBackplane,
    private readonly definitions: ChannelDefinitions,
    readonly queue: RunQueue,
  ) {}

  /** Somebody streams a channel that nobody did, and it is open; or the last one has left it. */
  get uses(): Observable<ChannelUsage> {
    return this.#uses;
  }

  /** Those of which it was said that somebody streams them. */
  get used(): string[] {
    return [...this.#open].filter(([, { isTold }]) => isTold).map(([name]) => name);
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
    if (held.isTold) this.#uses.next({ channel: channel.name, isUsed: false });
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
      this.#uses.next({ channel: channel.name, isUsed: true });
    };
    channel.opened.then(tell, () => undefined);
  }
}
