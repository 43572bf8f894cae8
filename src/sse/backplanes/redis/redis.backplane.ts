import { Logger } from '@nestjs/common';
import { setTimeout as delay } from 'node:timers/promises';
import { ErrorReply } from 'redis';
import {
  WINDOW,
  type BackplaneStats,
  type FollowedLog,
  type LogFollower,
  type LogRange,
  type SseBackplane,
} from '../../hub/backplane.js';
import type { StoredEvent } from '../../hub/stored-event.js';
import type { Position } from '../../protocol/position.js';
import { SseError } from '../../sse.errors.js';
import type { SseLimits } from '../../sse.options.js';
import type { ChannelSettings } from '../../sse.settings.js';
import { KnownHeads } from '../remote/known-heads.js';
import { LogMirror } from '../remote/log-mirror.js';
import { MirrorMemory } from '../remote/mirror-memory.js';
import { RemoteCalls } from '../remote/remote-calls.js';
import { Resyncs } from '../remote/resyncs.js';
import type { RedisConnection } from './redis.connection.js';
import { noticeOf, type Notice } from './redis.entries.js';
import { failureOf, RedisLogs } from './redis.logs.js';
import type { RedisSettings } from './redis.options.js';

/** Milliseconds that calls have for their answers when the application closes. */
const CLOSE_GRACE = 1_000;
/** The longest time between two looks at the server's log, in milliseconds. */
const LONGEST_REST = 200_000;

/** A channel that is followed in this process. */
interface Held {
  readonly channel: string;
  readonly settings: ChannelSettings;
  readonly mirror: LogMirror;
  readonly opened: Promise<void>;
  /** Those who follow it or wait for it to open. */
  users: number;
  /** When the server was last told that it is followed. */
  touchedAt: number;
}

/**
 * Logs in Redis, shared by all instances that use it.
 *
 * Notices come by plain pub/sub, one subscription for each channel that is followed here. In a Redis
 * Cluster they reach a subscriber at any node, so one connection is enough; sharded pub/sub would need
 * one to every shard.
 */
export class RedisBackplane implements SseBackplane {
  readonly #held = new Map<string, Held>();
  /** By the name that its notices have. */
  readonly #mirrors = new Map<string, LogMirror>();
  readonly #heads = new KnownHeads();
  readonly #memory: MirrorMemory;
  readonly #logs: RedisLogs;
  /** What users of the hub ask for. */
  readonly #calls: RemoteCalls;
  /** What mirrors need: both connections. There are no more of these at once than channels. */
  readonly #mirroring: RemoteCalls;
  readonly #resyncs = new Resyncs();
  #isClosed = false;
  #closing: Promise<void> | undefined;
  #sweeping: NodeJS.Timeout | undefined;
  #sweepEvery = Infinity;
  #isSubscriberUp = false;

  constructor(
    private readonly connection: RedisConnection,
    settings: RedisSettings,
    private readonly limits: Required<SseLimits>,
  ) {
    this.#memory = new MirrorMemory(limits.historyBytes);
    this.#logs = new RedisLogs(connection, settings.prefix);
    this.#calls = new RemoteCalls('Redis', settings);
    this.#mirroring = new RemoteCalls('Redis', { ...settings, maxPending: Infinity });
    connection.watch({
      up: () => {
        this.#calls.up();
        this.#goOn();
      },
      down: () => {
        this.#calls.down();
        this.#mirroring.down();
      },
      subscriberUp: () => {
        this.#isSubscriberUp = true;
        this.#goOn();
      },
      subscriberDown: () => {
        this.#isSubscriberUp = false;
        this.#mirroring.down();
      },
    });
  }

  async append(
    channel: string,
    settings: ChannelSettings,
    event: StoredEvent,
    publishId?: string,
  ): Promise<Position> {
    const { position, entry } = await this.#calls.run('publish', (left) =>
      this.#logs.append(channel, settings, event, publishId, this.#knownOf(channel), left),
    );
    if (this.#isClosed) return position;
    const mirror = this.#held.get(channel)?.mirror;
    if (entry) {
      this.#heads.saw(channel, position);
      await mirror?.add(position.epoch, entry);
    } else if (mirror?.isOpen && !mirror.has(position)) {
      await mirror.resync();
    }
    return position;
  }

  async follow(channel: string, settings: ChannelSettings, follower: LogFollower): Promise<FollowedLog> {
    if (this.#isClosed) throw closed();
    const held = this.#hold(channel, settings);
    held.users++;
    let isFollowing = true;
    const leave = (): void => {
      if (!isFollowing) return;
      isFollowing = false;
      if (--held.users === 0) this.#letGo(held);
    };
    try {
      await held.opened;
    } catch (error) {
      leave();
      throw this.#isClosed ? closed() : error;
    }
    if (this.#isClosed) throw closed();
    held.mirror.expire(Date.now());
    const followed = held.mirror.follow(follower);
    return {
      ...followed,
      stop: () => {
        followed.stop();
        leave();
      },
    };
  }

  read(
    channel: string,
    range: { readonly after?: number; readonly limit: number },
  ): Promise<LogRange | undefined> {
    return this.#calls.run('other', () => this.#logs.read(channel, range));
  }

  async complete(channel: string, settings: ChannelSettings): Promise<void> {
    const end = await this.#calls.run('other', () =>
      this.#logs.complete(channel, settings, this.#knownOf(channel)),
    );
    await this.#held.get(channel)?.mirror.completed(end.epoch, end.offset);
  }

  async purge(channel: string): Promise<void> {
    const end = await this.#calls.run('other', () => this.#logs.purge(channel, this.#knownOf(channel)));
    if (end) await this.#held.get(channel)?.mirror.purged(end.epoch, end.offset);
  }

  stats(): BackplaneStats {
    let historyEvents = 0;
    let historyBytes = 0;
    for (const { mirror } of this.#held.values()) {
      if (!mirror.isOpen) continue;
      historyEvents += mirror.log.size;
      historyBytes += mirror.log.bytes;
    }
    return { channels: this.#held.size, historyEvents, historyBytes };
  }

  close(): Promise<void> {
    return (this.#closing ??= this.#close());
  }

  async #close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#sweeping);
    for (const { mirror } of this.#held.values()) mirror.close();
    this.#held.clear();
    this.#mirrors.clear();
    this.#heads.clear();
    const abort = new AbortController();
    const answered = Promise.all([this.#calls.close(), this.#mirroring.close()]);
    await Promise.race([
      answered,
      delay(CLOSE_GRACE, undefined, { signal: abort.signal }).catch(() => undefined),
    ]);
    abort.abort();
    this.connection.close();
  }

  #knownOf(channel: string): Position | undefined {
    return this.#heads.get(channel, this.#held.get(channel)?.mirror.position);
  }

  #hold(channel: string, settings: ChannelSettings): Held {
    const known = this.#held.get(channel);
    if (known) return known;
    if (this.#held.size >= this.limits.channels) {
      throw new SseError(
        'HUB_FULL',
        `${this.#held.size} channels are followed, which is limits.channels. Raise it.`,
      );
    }
    const mirror = new LogMirror(
      channel,
      settings.history ?? WINDOW,
      async (position) => {
        const range = await this.#mirroring.run('other', () =>
          this.#logs.open(channel, settings, position, this.#heads.get(channel, position)),
        );
        this.#heads.saw(channel, { epoch: range.epoch, offset: range.head });
        return range;
      },
      this.#memory,
    );
    const held: Held = {
      channel,
      settings,
      mirror,
      opened: this.#open(mirror),
      users: 0,
      touchedAt: Date.now(),
    };
    this.#held.set(channel, held);
    this.#sweepWithin(Math.min(restOf(settings), settings.history?.age ?? Infinity));
    return held;
  }

  async #open(mirror: LogMirror): Promise<void> {
    const notices = this.#logs.noticesOf(mirror.channel);
    this.#mirrors.set(notices, mirror);
    await this.#mirroring.run('other', (left) => this.#subscribe(notices, left));
    await mirror.open();
  }

  /** Where the connection breaks meanwhile, it is tried again on the next. */
  async #subscribe(notices: string, left: number): Promise<void> {
    const until = performance.now() + left;
    for (;;) {
      try {
        return await this.connection.subscriber.subscribe(notices, this.#notice);
      } catch (error) {
        if (error instanceof ErrorReply || performance.now() >= until || this.#isClosed)
          throw failureOf(error, 'other');
      }
    }
  }

  #letGo(held: Held): void {
    held.mirror.close();
    if (this.#held.get(held.channel) === held) this.#held.delete(held.channel);
    const notices = this.#logs.noticesOf(held.channel);
    if (this.#mirrors.get(notices) !== held.mirror) return;
    this.#mirrors.delete(notices);
    this.#resyncs.delete(held.mirror);
    this.#unsubscribe(notices);
  }

  #unsubscribe(notices: string): void {
    // When it fails the connection is gone, and what nobody follows is seen to when it is there again.
    this.connection.subscriber.unsubscribe(notices, this.#notice).catch(() => undefined);
  }

  readonly #notice = (message: string, notices: string): void => {
    const mirror = this.#mirrors.get(notices);
    if (!mirror) return;
    const notice = noticeOf(message);
    if (!notice) {
      new Logger('SseHub').warn(`A message on ${notices} in Redis is not of this package, and is skipped.`);
    } else {
      this.#take(mirror, notice).catch(ignored);
    }
  };

  async #take(mirror: LogMirror, notice: Notice): Promise<void> {
    switch (notice.kind) {
      case 'epoch':
        return mirror.resync();
      case 'purged':
        return mirror.purged(notice.epoch, notice.offset);
      case 'completed':
        return mirror.completed(notice.epoch, notice.offset);
      case 'entry': {
        if (mirror.has(notice)) return;
        const entry = notice.entry();
        return entry ? mirror.add(notice.epoch, entry) : mirror.resync();
      }
    }
  }

  /** Both connections may be there again: what was missed is read. */
  #goOn(): void {
    if (!this.#calls.isUp || !this.#isSubscriberUp || this.#isClosed) return;
    this.#mirroring.up();
    for (const notices of this.connection.subscriber.getPubSubListeners('CHANNELS').keys())
      if (!this.#mirrors.has(notices)) this.#unsubscribe(notices);
    for (const held of this.#held.values()) this.#touch(held);
  }

  /** One timer for all mirrors, often enough for the shortest ttl or age. */
  #sweepWithin(shortest: number): void {
    const every = Math.min(Math.max(shortest / 2, 10), 30_000);
    if (every >= this.#sweepEvery) return;
    this.#sweepEvery = every;
    clearInterval(this.#sweeping);
    this.#sweeping = setInterval(() => this.#sweep(Date.now()), every).unref();
  }

  /** Lets go of what is too old, and keeps what is followed from expiring in Redis. */
  #sweep(now: number): void {
    for (const held of this.#held.values()) {
      held.mirror.expire(now);
      if (now - held.touchedAt >= restOf(held.settings)) this.#touch(held);
    }
  }

  /** Compares a mirror with the log, which Redis keeps from expiring then. */
  #touch(held: Held): void {
    held.touchedAt = Date.now();
    this.#resyncs.add(held.mirror);
  }
}

/** How long a channel that is followed may be left alone. */
const restOf = ({ ttl }: ChannelSettings): number => Math.min(ttl / 4, LONGEST_REST);

/** A mirror tries a failed read again by itself. */
const ignored = (): void => undefined;

const closed = (): SseError => new SseError('HUB_CLOSED', 'The application was closed.');
