import { channelCompleted, hubClosed, tooManyChannels } from '../../sse.errors.js';
import type { ChannelSettings } from '../../sse.settings.js';
import {
  WINDOW,
  type BackplaneStats,
  type FollowedLog,
  type LogFollower,
  type LogRange,
  type RangeQuery,
  type SseBackplane,
} from '../../log/backplane.js';
import { Clock } from '../common/clock.js';
import { rangeOf } from '../../log/log-range.js';
import { EventLog, type LogEntry } from '../../log/event-log.js';
import type { StoredEvent } from '../../log/stored-event.js';
import { newMark } from '../../log/mark.js';
import type { Position } from '../../protocol/position.js';
import { LogBirths } from '../common/log-births.js';
import { PublishIds } from './publish-ids.js';

export interface MemoryBackplaneLimits {
  readonly channels: number;
  readonly historyBytes: number;
}

/** How many logs a sweep looks at before it gives the event loop a turn. */
const SWEEP_STEP = 10_000;

/** The least time between two searches for room, in milliseconds. */
const ROOM_INTERVAL = 1_000;

/** One channel's log and who follows it. */
class MemoryLog {
  readonly log: EventLog;
  /** Never changed but replaced, so that those may leave who are being told. */
  followers: readonly LogFollower[] = [];
  /** When it was last of use: published to, or let go of by its last follower. */
  touched: number;
  /** The events and bytes of the log that the backplane has counted. */
  countedEvents = 0;
  countedBytes = 0;
  /** What is to be told after what is being told at present, which has led to it. */
  readonly #untold: Telling[] = [];
  #isTelling = false;

  constructor(
    readonly name: string,
    readonly settings: ChannelSettings,
    birth: string,
    now: number,
  ) {
    this.touched = now;
    const begin = { offset: 0, mark: birth };
    this.log = new EventLog(begin, settings.history ?? WINDOW, () => {
      // At once, in the midst of another telling perhaps: afterwards it would be too late.
      this.#tellEach({ followers: this.followers, what: (follower) => follower.leaving() });
    });
  }

  tellAppended(entry: LogEntry): void {
    this.#tell((follower) => follower.appended(entry));
  }

  tellCompleted(): void {
    this.#tell((follower) => follower.completed());
  }

  isIdle(now: number): boolean {
    return this.followers.length === 0 && now - this.touched >= this.settings.ttl;
  }

  /** Tells those who follow now, when everybody has been told of all that was before. */
  #tell(what: Telling['what']): void {
    const { followers } = this;
    if (followers.length === 0) return;
    this.#untold.push({ followers, what });
    if (this.#isTelling) return;
    this.#isTelling = true;
    for (let next = this.#untold.shift(); next; next = this.#untold.shift()) this.#tellEach(next);
    this.#isTelling = false;
  }

  /** But for those who stop before it is their turn. */
  #tellEach({ followers, what }: Telling): void {
    for (const follower of followers) if (this.followers.includes(follower)) what(follower);
  }
}

/** Something that happened to a log, and who followed it then. */
interface Telling {
  readonly followers: readonly LogFollower[];
  readonly what: (follower: LogFollower) => void;
}

/** Logs in this process's memory: the default. They end with the process. */
export class MemoryBackplane implements SseBackplane {
  readonly #logs = new Map<string, MemoryLog>();
  /** Logs with events, the one that was published to longest ago first. */
  readonly #recent = new Set<MemoryLog>();
  readonly #clock = new Clock();
  readonly #births = new LogBirths(newMark());
  readonly #publishIds = new PublishIds();
  #latest: MemoryLog | undefined;
  #bytes = 0;
  #events = 0;
  #closed = false;
  #sweeping: NodeJS.Timeout | undefined;
  #sweepAt = Infinity;
  #madeRoomAt = 0;

  constructor(private readonly limits: MemoryBackplaneLimits) {}

  /** The entry is in place when the call returns. */
  async append(
    channel: string,
    settings: ChannelSettings,
    event: StoredEvent,
    publishId?: string,
  ): Promise<Position> {
    if (publishId === undefined) return this.#append(channel, settings, event);
    const known = this.#publishIds.find(channel, publishId, this.#clock.now());
    if (known) return known;
    const position = this.#append(channel, settings, event);
    this.#publishIds.remember(channel, publishId, position, this.#clock.now());
    return position;
  }

  #append(channel: string, settings: ChannelSettings, event: StoredEvent): Position {
    const held = this.#open(channel, settings);
    const { log } = held;
    this.#checkWritable(held);
    const now = this.#clock.now();
    log.makeRoom(event.bytes, now);
    this.#count(held);
    // Readers that were offered what had to go may have completed the channel, or closed everything.
    this.#checkWritable(held);
    const offset = log.head.offset + 1;
    const mark = newMark();
    const entry: LogEntry = { offset, mark, previous: log.head, at: now, event };
    log.add(entry);
    this.#count(held);
    held.touched = now;
    this.#touch(held);
    held.tellAppended(entry);
    this.#trim(held);
    return { offset, mark };
  }

  #checkWritable({ name, log }: MemoryLog): void {
    this.#checkOpen();
    if (!log.completed) return;
    throw channelCompleted(name);
  }

  async follow(channel: string, settings: ChannelSettings, follower: LogFollower): Promise<FollowedLog> {
    const held = this.#open(channel, settings);
    this.#expire(held, this.#clock.now());
    held.followers = [...held.followers, follower];
    return {
      log: held.log,
      stop: () => {
        if (!held.followers.includes(follower)) return;
        held.followers = held.followers.filter((other) => other !== follower);
        held.touched = this.#clock.now();
        // Nothing has happened to it: whoever comes next finds it as it was.
        if (held.followers.length === 0 && held.log.isAbsent) this.#logs.delete(held.name);
      },
    };
  }

  async read(channel: string, _settings: ChannelSettings, query: RangeQuery): Promise<LogRange> {
    const held = this.#find(channel);
    if (!held) {
      const begin = { offset: 0, mark: this.#births.markOf(channel) };
      return rangeOf(new EventLog(begin, WINDOW), query);
    }
    this.#expire(held, this.#clock.now());
    return rangeOf(held.log, query);
  }

  async complete(channel: string, settings: ChannelSettings): Promise<void> {
    const held = this.#open(channel, settings);
    if (held.log.completed) return;
    held.log.completed = true;
    held.touched = this.#clock.now();
    held.tellCompleted();
  }

  async purge(channel: string): Promise<void> {
    const held = this.#find(channel);
    if (!held) return;
    held.log.purge();
    this.#emptied(held);
  }

  stats(): BackplaneStats {
    return { channels: this.#logs.size, historyEvents: this.#events, historyBytes: this.#bytes };
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#sweeping);
    for (const held of this.#logs.values()) held.followers = [];
    this.#logs.clear();
    this.#recent.clear();
    this.#publishIds.clear();
    this.#latest = undefined;
    this.#bytes = 0;
    this.#events = 0;
  }

  /** A log that should have been given back is not found, however late the sweep comes. */
  #find(channel: string): MemoryLog | undefined {
    this.#checkOpen();
    const held = this.#logs.get(channel);
    if (!held?.isIdle(this.#clock.now())) return held;
    this.#drop(held);
    return undefined;
  }

  #checkOpen(): void {
    if (this.#closed) throw hubClosed();
  }

  #open(channel: string, settings: ChannelSettings): MemoryLog {
    const held = this.#find(channel);
    if (held) return held;
    if (this.#logs.size >= this.limits.channels) this.#makeRoom();
    if (this.#logs.size >= this.limits.channels) throw tooManyChannels(this.#logs.size);
    const made = new MemoryLog(channel, settings, this.#births.markOf(channel), this.#clock.now());
    this.#logs.set(channel, made);
    this.#sweepWithin(Math.min(settings.ttl, settings.history?.age ?? Infinity));
    return made;
  }

  /** Gives back what is idle. Not often: it looks at all logs. */
  #makeRoom(): void {
    const now = this.#clock.now();
    if (now < this.#madeRoomAt + ROOM_INTERVAL) return;
    this.#madeRoomAt = now;
    for (const held of this.#logs.values()) {
      if (held.isIdle(now)) this.#drop(held);
    }
  }

  /** Moves a log to the end of those that were published to. Of one busy channel this is nothing. */
  #touch(held: MemoryLog): void {
    if (this.#latest === held) return;
    this.#recent.delete(held);
    this.#recent.add(held);
    this.#latest = held;
  }

  /** Makes room for all logs together: empties the one that has been idle longest, and shortens this one last. */
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
    // Readers that were offered what had to go may have published to it.
    if (held.log.size > 0) return;
    this.#recent.delete(held);
    if (this.#latest === held) this.#latest = undefined;
  }

  #drop(held: MemoryLog): void {
    this.#empty(held);
    this.#logs.delete(held.name);
    this.#births.ended(held.name);
  }

  #expire(held: MemoryLog, now: number): void {
    held.log.expire(now);
    this.#count(held);
  }

  /** Takes in what has changed of a log since it was counted last. */
  #count(held: MemoryLog): void {
    if (this.#closed) return;
    const { size: events, bytes } = held.log;
    this.#events += events - held.countedEvents;
    this.#bytes += bytes - held.countedBytes;
    held.countedEvents = events;
    held.countedBytes = bytes;
  }

  /** One timer for all logs, often enough for the shortest ttl or age. */
  #sweepWithin(shortest: number): void {
    const every = Math.min(Math.max(shortest / 4, 10), 30_000);
    if (every >= this.#sweepAt) return;
    this.#sweepAt = every;
    clearTimeout(this.#sweeping);
    this.#sweep(this.#logs.values());
  }

  #sweep(logs: IterableIterator<MemoryLog>): void {
    const now = this.#clock.now();
    let looked = 0;
    for (const held of logs) {
      if (held.isIdle(now)) this.#drop(held);
      else this.#expire(held, now);
      if (++looked === SWEEP_STEP) break;
    }
    const isDone = looked < SWEEP_STEP;
    this.#sweeping = setTimeout(
      () => this.#sweep(isDone ? this.#logs.values() : logs),
      isDone ? this.#sweepAt : 0,
    );
    this.#sweeping.unref();
  }
}
