import { Logger } from '@nestjs/common';
import { setTimeout as delay } from 'node:timers/promises';
import {
  WINDOW,
  type BackplaneStats,
  type FollowedLog,
  type LogFollower,
  type LogRange,
  type RangeQuery,
  type SseBackplane,
} from '../../log/backplane.js';
import { newMark } from '../../log/mark.js';
import type { StoredEvent } from '../../log/stored-event.js';
import type { Position } from '../../protocol/position.js';
import { hubClosed, SseError } from '../../sse.errors.js';
import type { SseLimits } from '../../sse.options.js';
import type { ChannelSettings } from '../../sse.settings.js';
import { CopyMemory } from './copy-memory.js';
import { LocalCopy, type CopiedLog } from './local-copy.js';
import { RemoteCalls } from './remote-calls.js';
import type { RemoteLogs } from './remote-logs.js';
import type { RemoteOptions } from './remote.options.js';
import { Resyncs } from './resyncs.js';

/** Milliseconds that calls have for their answers when the application closes. */
const CLOSE_GRACE = 1_000;
/** Milliseconds between two tries to read the orders. */
const RETRY = 250;

/** A channel that is followed in this process. */
interface Held {
  readonly channel: string;
  readonly settings: ChannelSettings;
  readonly copy: LocalCopy;
  readonly opened: Promise<void>;
  /** Those who follow it or wait for it to open. */
  users: number;
  /** When it was last compared with the server, by `performance.now()`. */
  comparedAt: number;
}

/** Logs on a server, shared by all instances that use it, with a local copy of each that is followed here. */
export class RemoteBackplane implements SseBackplane {
  readonly #held = new Map<string, Held>();
  readonly #memory: CopyMemory;
  /** What users of the hub ask for. */
  readonly #calls: RemoteCalls;
  /** What local copies need, which is nothing without notices. There are no more of these at once than channels. */
  readonly #copying: RemoteCalls;
  readonly #resyncs = new Resyncs();
  #isConnected = false;
  #hasNotices = false;
  /** How often a connection was lost. */
  #losses = 0;
  /**
   * Reads the orders that came while the connection was lost: nothing is handed on before. Rejects while that is not
   * possible.
   */
  catchUp: (() => Promise<void>) | undefined;
  #isClosed = false;
  #closing: Promise<void> | undefined;
  #sweeping: NodeJS.Timeout | undefined;
  #sweepEvery = Infinity;

  constructor(
    private readonly logs: RemoteLogs,
    settings: Required<RemoteOptions>,
    private readonly limits: Required<SseLimits>,
  ) {
    this.#memory = new CopyMemory(limits.historyBytes);
    this.#calls = new RemoteCalls(logs.server, settings);
    this.#copying = new RemoteCalls(logs.server, { ...settings, maxPending: Infinity });
    logs.watch({
      up: () => {
        this.#isConnected = true;
        void this.#goOn();
      },
      down: () => {
        this.#isConnected = false;
        this.#calls.down();
        this.#lost();
      },
      noticesUp: () => {
        this.#hasNotices = true;
        void this.#goOn();
      },
      noticesDown: () => {
        this.#hasNotices = false;
        this.#lost();
      },
      changed: () => this.#compareAll(),
    });
  }

  async append(
    channel: string,
    settings: ChannelSettings,
    event: StoredEvent,
    publishId?: string,
  ): Promise<Position> {
    const mark = newMark();
    const before = this.#held.get(channel)?.copy;
    before?.expect(mark);
    const publication = { channel, settings, event, mark, publishId };
    const appending = this.#calls.run('publish', (left) => this.logs.append(publication, left));
    const { position, entry } = await appending.catch((error: unknown) => {
      before?.hasCome(mark);
      throw error;
    });
    const hasCome = before?.hasCome(mark) === true;
    const copy = this.#held.get(channel)?.copy;
    if (this.#isClosed || !copy || (copy === before && hasCome && position.mark === mark)) return position;
    if (entry) await copy.answered(entry).catch(ignored);
    else if (copy.isOpen && !copy.log.has(position)) await copy.resync();
    return position;
  }

  async follow(channel: string, settings: ChannelSettings, follower: LogFollower): Promise<FollowedLog> {
    if (this.#isClosed) throw hubClosed();
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
      throw this.#isClosed ? hubClosed() : error;
    }
    if (this.#isClosed) throw hubClosed();
    held.copy.expire(this.logs.now());
    const followed = held.copy.follow(follower);
    return {
      ...followed,
      stop: () => {
        followed.stop();
        leave();
      },
    };
  }

  read(channel: string, settings: ChannelSettings, query: RangeQuery): Promise<LogRange> {
    return this.#calls.run('other', () => this.logs.range(channel, settings, query));
  }

  async complete(channel: string, settings: ChannelSettings): Promise<void> {
    const head = await this.#calls.run('other', () => this.logs.complete(channel, settings));
    await this.#held.get(channel)?.copy.completed(head).catch(ignored);
  }

  async purge(channel: string): Promise<void> {
    const newest = await this.#calls.run('other', () => this.logs.purge(channel));
    if (newest) await this.#held.get(channel)?.copy.purged(newest).catch(ignored);
  }

  stats(): BackplaneStats {
    let historyEvents = 0;
    let historyBytes = 0;
    for (const { copy } of this.#held.values()) {
      if (!copy.isOpen) continue;
      historyEvents += copy.log.size;
      historyBytes += copy.log.bytes;
    }
    return { channels: this.#held.size, historyEvents, historyBytes };
  }

  close(): Promise<void> {
    return (this.#closing ??= this.#close());
  }

  async #close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#sweeping);
    for (const { copy } of this.#held.values()) copy.close();
    this.#held.clear();
    const abort = new AbortController();
    const answered = Promise.all([this.#calls.close(), this.#copying.close()]);
    const late = delay(CLOSE_GRACE, undefined, { signal: abort.signal }).catch(() => undefined);
    await Promise.race([answered, late]);
    abort.abort();
    await this.logs.close();
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
    const copied: CopiedLog = {
      read: (position, asked) =>
        this.#copying.run('other', () => this.logs.read(channel, settings, position, asked)),
      heard: () => this.#copying.run('other', () => this.logs.heard()),
    };
    const copy = new LocalCopy(settings.history ?? WINDOW, copied, this.#memory);
    const held: Held = {
      channel,
      settings,
      copy,
      opened: this.#open(channel, copy),
      users: 0,
      comparedAt: performance.now(),
    };
    this.#held.set(channel, held);
    this.#sweepWithin(Math.min(this.logs.restOf(settings), settings.history?.age ?? Infinity));
    return held;
  }

  async #open(channel: string, copy: LocalCopy): Promise<void> {
    const hear: Parameters<RemoteLogs['subscribe']>[1] = (notice) => {
      // Before the orders were read it is as if the connection were still lost: what comes is read later.
      if (this.#copying.isUp) copy.hear(notice).catch(ignored);
    };
    await this.#copying.run('other', (left) => this.logs.subscribe(channel, hear, left));
    await copy.open();
  }

  #letGo(held: Held): void {
    held.copy.close();
    this.#resyncs.delete(held.copy);
    if (this.#held.get(held.channel) !== held) return;
    this.#held.delete(held.channel);
    this.logs.unsubscribe(held.channel);
  }

  #lost(): void {
    this.#losses++;
    this.#copying.down();
    for (const { copy } of this.#held.values()) copy.deaf();
  }

  /** A connection is there again: orders are read, and when there are notices, too, what was missed of the logs. */
  async #goOn(): Promise<void> {
    const losses = this.#losses;
    const isOver = (): boolean => !this.#isConnected || this.#losses !== losses || this.#isClosed;
    while (!isOver() && this.catchUp && !(await isDone(this.catchUp())))
      await delay(RETRY, undefined, { ref: false });
    if (isOver()) return;
    this.#calls.up();
    if (!this.#hasNotices) return;
    this.#copying.up();
    this.#compareAll();
  }

  #compareAll(): void {
    for (const held of this.#held.values()) this.#compare(held);
  }

  #compare(held: Held): void {
    held.comparedAt = performance.now();
    this.#resyncs.add(held.copy);
  }

  /** One timer for all copies, often enough for the shortest rest or age. */
  #sweepWithin(shortest: number): void {
    const every = Math.min(Math.max(shortest / 2, 10), 30_000);
    if (every >= this.#sweepEvery) return;
    this.#sweepEvery = every;
    clearInterval(this.#sweeping);
    this.#sweeping = setInterval(() => this.#sweep(), every).unref();
  }

  /** Lets go of what is too old, and compares with the server what has rested for long enough. */
  #sweep(): void {
    const now = performance.now();
    const time = this.logs.now();
    for (const held of this.#held.values()) {
      held.copy.expire(time);
      if (now - held.comparedAt >= this.logs.restOf(held.settings)) this.#compare(held);
    }
  }
}

const isDone = (task: Promise<void>): Promise<boolean> =>
  task.then(
    () => true,
    () => false,
  );

/** A copy tries a failed read again by itself. */
const ignored = (error: unknown): void => {
  if (!(error instanceof SseError)) new Logger('SseHub').error(error);
};
