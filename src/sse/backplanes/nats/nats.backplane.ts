import { setTimeout as delay } from 'node:timers/promises';
import { SseError } from '../../sse.errors.js';
import type { SseLimits } from '../../sse.options.js';
import type { ChannelSettings } from '../../sse.settings.js';
import type {
  BackplaneStats,
  FollowedLog,
  LogFollower,
  LogRange,
  SseBackplane,
} from '../../hub/backplane.js';
import type { StoredEvent } from '../../hub/stored-event.js';
import type { Position } from '../../protocol/position.js';
import { MirrorMemory } from '../remote/mirror-memory.js';
import { RemoteCalls } from '../remote/remote-calls.js';
import { Turnstile } from '../remote/turnstile.js';
import { Incarnation } from './incarnation.js';
import { limitsOf, NatsChannel } from './nats-channel.js';
import { callFailure } from './nats-errors.js';
import { NatsFollow } from './nats-follow.js';
import type { NatsLink } from './nats-link.js';
import { NatsStream } from './nats-stream.js';
import type { NatsSettings } from './nats.options.js';

/** Channels that are remembered although nothing happens on them: their records need not be read again. */
const MAX_IDLE = 10_000;
/** Logs that are read, and those that are brought up to date, at the same time. */
const READS = 50;
const RESYNCS = 50;
/** Milliseconds between two tries to find the stream after a reconnect. */
const RETRY = 250;
/** Milliseconds that calls have for their answers when the application closes. */
const CLOSE_GRACE = 1_000;

/**
 * Logs in one stream of NATS JetStream, shared by all instances that use it. A channel is a subject of the
 * stream, and an offset is a sequence of the stream: so offsets are never given away twice, and a channel
 * goes on in its epoch however long it was idle. What is idle the stream's limits give back; the channel's
 * `ttl` counts for its completion alone.
 */
export class NatsBackplane implements SseBackplane {
  readonly #stream: NatsStream;
  readonly #incarnation: Incarnation;
  /** What users of the hub ask for. */
  readonly #calls: RemoteCalls;
  /** What mirrors need; there are no more of these at once than channels. */
  readonly #mirroring: RemoteCalls;
  readonly #reads = new Turnstile(READS);
  readonly #memory: MirrorMemory;
  /** The one that was used longest ago comes first. */
  readonly #channels = new Map<string, NatsChannel>();
  readonly #follows = new Map<string, NatsFollow>();
  readonly #toResync = new Set<NatsFollow>();
  #resyncing = 0;
  #sweeping: NodeJS.Timeout | undefined;
  #sweepEvery = Infinity;
  #isClosed = false;
  #closing: Promise<void> | undefined;

  private constructor(
    private readonly link: NatsLink,
    settings: NatsSettings,
    private readonly limits: Required<SseLimits>,
  ) {
    this.#stream = new NatsStream(link, settings);
    this.#incarnation = new Incarnation(this.#stream, () => this.#resyncAll());
    this.#calls = new RemoteCalls('NATS', settings);
    this.#mirroring = new RemoteCalls('NATS', { ...settings, maxPending: Infinity });
    this.#memory = new MirrorMemory(limits.historyBytes);
  }

  /** @throws SseError `BACKPLANE_FAILED` */
  static async open(
    link: NatsLink,
    settings: NatsSettings,
    limits: Required<SseLimits>,
  ): Promise<NatsBackplane> {
    const backplane = new NatsBackplane(link, settings, limits);
    await backplane.#stream.open();
    await backplane.#incarnation.check();
    backplane.#listen();
    return backplane;
  }

  append(
    channel: string,
    settings: ChannelSettings,
    event: StoredEvent,
    publishId?: string,
  ): Promise<Position> {
    return this.#calls.run('publish', () => this.#channel(channel).append(settings, event, publishId));
  }

  async follow(channel: string, settings: ChannelSettings, follower: LogFollower): Promise<FollowedLog> {
    if (this.#isClosed) throw closed();
    const follow = this.#hold(channel, settings);
    const leave = follow.use();
    try {
      await follow.opened;
    } catch (error) {
      leave();
      throw this.#isClosed ? closed() : error;
    }
    if (this.#isClosed) throw closed();
    const followed = follow.mirror.follow(follower);
    return {
      log: followed.log,
      stop: () => {
        followed.stop();
        leave();
      },
    };
  }

  async read(
    channel: string,
    { after, limit }: { readonly after?: number; readonly limit: number },
  ): Promise<LogRange | undefined> {
    const range = await this.#run(() => this.#channel(channel).read());
    if (!range) return undefined;
    const { epoch, floor, head, entries } = range;
    if (after !== undefined) {
      const from = entries.findIndex(({ offset }) => offset > after);
      return { epoch, floor, head, entries: from < 0 ? [] : entries.slice(from, from + limit) };
    }
    return { epoch, floor, head, entries: entries.slice(Math.max(0, entries.length - limit)) };
  }

  complete(channel: string, settings: ChannelSettings): Promise<void> {
    return this.#run(() => this.#channel(channel).complete(settings));
  }

  purge(channel: string): Promise<void> {
    return this.#run(() => this.#channel(channel).purge());
  }

  stats(): BackplaneStats {
    let historyEvents = 0;
    let historyBytes = 0;
    for (const { mirror } of this.#follows.values()) {
      if (!mirror.isOpen) continue;
      historyEvents += mirror.log.size;
      historyBytes += mirror.log.bytes;
    }
    return { channels: this.#follows.size, historyEvents, historyBytes };
  }

  close(): Promise<void> {
    return (this.#closing ??= this.#close());
  }

  async #close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#sweeping);
    for (const follow of this.#follows.values()) follow.close();
    this.#follows.clear();
    this.#toResync.clear();
    const abort = new AbortController();
    const answered = Promise.all([this.#calls.close(), this.#mirroring.close()]);
    const late = delay(CLOSE_GRACE, undefined, { signal: abort.signal }).catch(() => undefined);
    await Promise.race([answered, late]);
    abort.abort();
    this.#channels.clear();
    await this.link.close();
  }

  /** Is told of what happens to the connection, the stream, and the records of the channels. */
  #listen(): void {
    const { subjects } = this.#stream;
    this.link.subscribe(subjects.liveRewind, () => void this.#incarnation.check().catch(ignored));
    this.link.subscribe(subjects.liveRecords, (message) => {
      this.#channels.get(subjects.channelOfRecord(message.subject))?.recordTold(message);
    });
    this.link.watch({
      up: () => void this.#goOn(),
      down: () => {
        for (const follow of this.#follows.values()) follow.lost();
        this.#incarnation.lost();
        this.#calls.down();
        this.#mirroring.down();
      },
    });
    this.#calls.up();
    this.#mirroring.up();
  }

  /** The connection is there again. Nothing is appended before it is known which stream it leads to. */
  async #goOn(): Promise<void> {
    while (this.link.isUp && !this.#isClosed) {
      try {
        await this.#incarnation.check();
        break;
      } catch {
        // JetStream is there some time after the server.
        await delay(RETRY, undefined, { ref: false });
      }
    }
    if (!this.link.isUp || this.#isClosed) return;
    this.#calls.up();
    this.#mirroring.up();
    this.#resyncAll();
  }

  async #run<T>(call: () => Promise<T>): Promise<T> {
    return this.#calls.run('other', () =>
      call().catch((error: unknown) => {
        throw callFailure('other', error);
      }),
    );
  }

  #channel(name: string): NatsChannel {
    const channel = this.#channels.get(name) ?? new NatsChannel(name, this.#stream, this.#incarnation);
    this.#channels.delete(name);
    this.#channels.set(name, channel);
    for (const [oldest, { isIdle }] of this.#channels) {
      if (this.#channels.size <= MAX_IDLE || !isIdle) break;
      this.#channels.delete(oldest);
    }
    return channel;
  }

  #hold(name: string, settings: ChannelSettings): NatsFollow {
    const known = this.#follows.get(name);
    if (known) return known;
    if (this.#follows.size >= this.limits.channels) {
      throw new SseError(
        'HUB_FULL',
        `${this.#follows.size} channels are followed, which is limits.channels. Raise it.`,
      );
    }
    const channel = this.#channel(name);
    const follow = new NatsFollow(channel.state, limitsOf(settings), this.#memory, {
      whenUp: (read) => this.#mirroring.run('other', (left) => this.#reads.run(read, left)),
      unused: () => this.#letGo(channel, follow),
    });
    channel.follow = follow;
    this.#follows.set(name, follow);
    this.#sweepWithin(limitsOf(settings).age);
    return follow;
  }

  #letGo(channel: NatsChannel, follow: NatsFollow): void {
    follow.close();
    this.#toResync.delete(follow);
    if (channel.follow !== follow) return;
    channel.follow = undefined;
    this.#follows.delete(channel.name);
  }

  #resyncAll(): void {
    for (const follow of this.#follows.values()) this.#toResync.add(follow);
    this.#resync();
  }

  #resync(): void {
    for (const follow of this.#toResync) {
      if (this.#resyncing >= RESYNCS) return;
      this.#toResync.delete(follow);
      if (!follow.mirror.isOpen) continue;
      this.#resyncing++;
      void follow.mirror
        .resync()
        .catch(ignored)
        .finally(() => {
          this.#resyncing--;
          this.#resync();
        });
    }
  }

  /** One timer for all mirrors, often enough for the shortest age. */
  #sweepWithin(age: number): void {
    const every = Math.min(Math.max(age / 2, 10), 30_000);
    if (every >= this.#sweepEvery) return;
    this.#sweepEvery = every;
    clearInterval(this.#sweeping);
    this.#sweeping = setInterval(() => {
      for (const { mirror } of this.#follows.values()) mirror.expire(Date.now());
    }, every).unref();
  }
}

/** What failed is tried again by itself. */
const ignored = (): void => undefined;

const closed = (): SseError => new SseError('HUB_CLOSED', 'The application was closed.');
