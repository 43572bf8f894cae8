import { channelCompleted, hubClosed, tooManyChannels } from '../../sse.errors.js';
import type { SseLimits } from '../../sse.options.js';
import type { ChannelSettings } from '../../sse.settings.js';
import {
  rangeOf,
  WINDOW,
  type BackplaneState,
  type BackplaneStats,
  type FollowedLog,
  type LogFollower,
  type LogRange,
  type RangeQuery,
  type SseBackplane,
} from '../../log/backplane.js';
import { EventLog, type LogEntry } from '../../log/event-log.js';
import type { StoredEvent } from '../../log/stored-event.js';
import { newMark } from '../common/mark.js';
import type { Position } from '../../protocol/position.js';
import { Clock } from '../common/clock.js';
import { Followers } from '../common/followers.js';
import { LogBirths } from '../common/log-births.js';
import { PublishIds } from '../common/publish-ids.js';
import { Sweep } from '../common/sweep.js';

export type MemoryBackplaneLimits = Pick<Required<SseLimits>, 'channels' | 'historyBytes'>;

/** The least time between two searches for idle logs, in milliseconds. */
const ROOM_INTERVAL = 1_000;

/** A change of a log, and those who followed it then. */
interface News {
  readonly what: (follower: LogFollower) => void;
  readonly to: Followers<LogFollower>['present'];
}

/** One channel's log and its followers. */
class MemoryLog {
  readonly log: EventLog;
  readonly followers = new Followers<LogFollower>();
  /** When it was last published to, or its last follower left. */
  touched: number;
  /** The events and bytes of the log in the sums of the backplane. */
  countedEvents = 0;
  countedBytes = 0;
  /** First the news that followers are being told, then the news that it has led to. */
  readonly #news: News[] = [];

  constructor(
    readonly name: string,
    readonly settings: ChannelSettings,
    birth: string,
    now: number,
  ) {
    this.touched = now;
    this.log = new EventLog({ offset: 0, mark: birth }, settings.history ?? WINDOW, () => {
      // At once, even in the midst of other news: later the entries would be gone.
      this.followers.tell((follower) => follower.leaving());
    });
  }

  /** Tells those who follow now, once the news before this is told. */
  tell(what: News['what']): void {
    if (this.followers.size === 0) return;
    if (this.#news.push({ what, to: this.followers.present }) > 1) return;
    for (let next = this.#news[0]; next; next = this.#news[0]) {
      this.followers.tell(next.what, next.to);
      this.#news.shift();
    }
  }

  isIdle(now: number): boolean {
    return this.followers.size === 0 && now - this.touched >= this.settings.ttl;
  }
}

/**
 * Logs in this process's memory: the default. They end with the process.
 *
 * Every call takes effect in its own turn. Followers that are told of something, or offered what has to go, may make
 * calls in the midst of it, `close()` included: what was known before the telling has to be looked up again.
 */
export class MemoryBackplane implements SseBackplane {
  readonly #logs = new Map<string, MemoryLog>();
  /** Logs with events, the one that was published to longest ago first. */
  readonly #recent = new Set<MemoryLog>();
  readonly #clock = new Clock();
  readonly #births = new LogBirths(newMark());
  readonly #publishIds = new PublishIds();
  readonly #sweep = new Sweep(
    () => this.#logs.values(),
    (some) => this.#visit(some),
    timeOf,
  );
  #latest: MemoryLog | undefined;
  #bytes = 0;
  #events = 0;
  #isClosed = false;
  #madeRoomAt = 0;

  constructor(private readonly limits: MemoryBackplaneLimits) {}

  /** The entry is in place when the call returns. */
  append(
    channel: string,
    settings: ChannelSettings,
    event: StoredEvent,
    publishId?: string,
  ): Promise<Position> {
    // Not `async`: a call would allocate the room for its variables anew.
    try {
      return Promise.resolve(this.#append(channel, settings, event, publishId));
    } catch (error) {
      const refusal = error as Error;
      return Promise.reject(refusal);
    }
  }

  #append(
    channel: string,
    settings: ChannelSettings,
    event: StoredEvent,
    publishId: string | undefined,
  ): Position {
    const known = this.#known(channel, publishId);
    if (known) return known;
    const now = this.#clock.now();
    const held = this.#open(channel, settings, now);
    const { log } = held;
    this.#checkWritable(held);
    log.makeRoom(event.bytes, now);
    this.#count(held);
    // Followers that were offered what had to go may have published this event, completed the channel, or closed all.
    const knownSince = this.#known(channel, publishId);
    if (knownSince) return knownSince;
    this.#checkWritable(held);
    const previous = log.head;
    const entry: LogEntry = { offset: previous.offset + 1, mark: newMark(), previous, at: now, event };
    log.add(entry);
    const position = log.head;
    if (publishId !== undefined) this.#publishIds.remember(channel, publishId, position, now);
    this.#count(held);
    held.touched = now;
    this.#touch(held);
    held.tell((follower) => follower.appended(entry));
    this.#trim(held);
    return position;
  }

  /** The position of the event that was published with that id, if there is one. */
  #known(channel: string, publishId: string | undefined): Position | undefined {
    return publishId === undefined ? undefined : this.#publishIds.find(channel, publishId, this.#clock.now());
  }

  #checkWritable({ name, log }: MemoryLog): void {
    this.#checkOpen();
    if (log.completed) throw channelCompleted(name);
  }

  async follow(channel: string, settings: ChannelSettings, follower: LogFollower): Promise<FollowedLog> {
    const now = this.#clock.now();
    const held = this.#open(channel, settings, now);
    this.#expire(held, now);
    const leave = held.followers.add(follower);
    return {
      log: held.log,
      stop: () => {
        if (!leave()) return;
        held.touched = this.#clock.now();
        // An absent channel has nothing to keep: whoever comes next finds it the same.
        if (held.followers.size === 0 && held.log.isAbsent) this.#logs.delete(held.name);
      },
    };
  }

  async read(channel: string, _settings: ChannelSettings, query: RangeQuery): Promise<LogRange> {
    const now = this.#clock.now();
    const held = this.#find(channel, now);
    if (held) this.#expire(held, now);
    const log = held?.log ?? new EventLog({ offset: 0, mark: this.#births.markOf(channel) }, WINDOW);
    return rangeOf(log, query);
  }

  async complete(channel: string, settings: ChannelSettings): Promise<void> {
    const now = this.#clock.now();
    const held = this.#open(channel, settings, now);
    if (held.log.completed) return;
    held.log.completed = true;
    held.touched = now;
    held.tell((follower) => follower.completed());
  }

  async purge(channel: string): Promise<void> {
    const held = this.#find(channel, this.#clock.now());
    if (!held) return;
    held.log.purge();
    this.#emptied(held);
  }

  stats(): BackplaneStats {
    return { channels: this.#logs.size, historyEvents: this.#events, historyBytes: this.#bytes };
  }

  state(): BackplaneState {
    return { kind: this.#isClosed ? 'closed' : 'ready' };
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#sweep.stop();
    for (const { followers } of this.#logs.values()) followers.clear();
    this.#logs.clear();
    this.#recent.clear();
    this.#publishIds.clear();
    this.#latest = undefined;
    this.#bytes = 0;
    this.#events = 0;
  }

  /** The log of a channel, unless it has outlived its ttl, however late the sweep comes. */
  #find(channel: string, now: number): MemoryLog | undefined {
    this.#checkOpen();
    const held = this.#logs.get(channel);
    if (!held?.isIdle(now)) return held;
    this.#drop(held);
    return undefined;
  }

  #checkOpen(): void {
    if (this.#isClosed) throw hubClosed();
  }

  #open(channel: string, settings: ChannelSettings, now: number): MemoryLog {
    const held = this.#find(channel, now);
    if (held) return held;
    if (this.#logs.size >= this.limits.channels) this.#makeRoom();
    if (this.#logs.size >= this.limits.channels) throw tooManyChannels(this.#logs.size);
    const made = new MemoryLog(channel, settings, this.#births.markOf(channel), now);
    this.#logs.set(channel, made);
    this.#sweep.within(timeOf(made));
    return made;
  }

  /** Drops the idle logs. Not often, as it looks at all. */
  #makeRoom(): void {
    const now = this.#clock.now();
    if (now < this.#madeRoomAt + ROOM_INTERVAL) return;
    this.#madeRoomAt = now;
    for (const held of this.#logs.values()) {
      if (held.isIdle(now)) this.#drop(held);
    }
  }

  /** Makes a log the most recent one. It costs nothing when it is that already, as for one busy channel. */
  #touch(held: MemoryLog): void {
    if (this.#latest === held) return;
    this.#recent.delete(held);
    this.#recent.add(held);
    this.#latest = held;
  }

  /** Keeps `historyBytes`: empties the logs that were published to longest ago, and shortens this one last. */
  #trim(current: MemoryLog): void {
    const { historyBytes } = this.limits;
    for (const held of this.#recent) {
      if (this.#bytes <= historyBytes) return;
      if (held === current) {
        held.log.shrink(held.log.bytes - (this.#bytes - historyBytes));
        this.#count(held);
      } else this.#empty(held);
    }
  }

  #empty(held: MemoryLog): void {
    held.log.clear();
    this.#emptied(held);
  }

  #emptied(held: MemoryLog): void {
    this.#count(held);
    // Followers that were offered what had to go may have published to it.
    if (held.log.size > 0) return;
    this.#recent.delete(held);
    if (this.#latest === held) this.#latest = undefined;
  }

  #drop(held: MemoryLog): void {
    // A follower that was offered what had to go of another log may have dropped it by now, and made a new one.
    if (this.#logs.get(held.name) !== held) return;
    this.#empty(held);
    this.#logs.delete(held.name);
    this.#births.ended(held.name);
  }

  #expire(held: MemoryLog, now: number): void {
    held.log.expire(now);
    this.#count(held);
  }

  /** Brings the sums up to date with one log. */
  #count(held: MemoryLog): void {
    if (this.#isClosed) return;
    const { size: events, bytes } = held.log;
    this.#events += events - held.countedEvents;
    this.#bytes += bytes - held.countedBytes;
    held.countedEvents = events;
    held.countedBytes = bytes;
  }

  #visit(logs: readonly MemoryLog[]): undefined {
    const now = this.#clock.now();
    for (const held of logs) {
      if (held.isIdle(now)) this.#drop(held);
      else this.#expire(held, now);
    }
  }
}

/** Milliseconds after which something of a log has to go. */
const timeOf = ({ settings: { ttl, history } }: MemoryLog): number => Math.min(ttl, history?.age ?? Infinity);
