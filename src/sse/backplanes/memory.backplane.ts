import { SseError } from '../sse.errors.js';
import type { ChannelSettings } from '../sse.settings.js';
import {
  WINDOW,
  type BackplaneStats,
  type FollowedLog,
  type LogFollower,
  type LogRange,
  type SseBackplane,
} from '../hub/backplane.js';
import { EventLog, type LogEntry } from '../hub/event-log.js';
import type { StoredEvent } from '../hub/stored-event.js';
import type { Position } from '../protocol/position.js';
import { newEpoch } from './epoch.js';
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
  touched = Date.now();

  constructor(
    readonly name: string,
    readonly settings: ChannelSettings,
  ) {
    this.log = new EventLog(newEpoch(), settings.history ?? WINDOW);
  }

  /** Tells those who follow now, but for those who stop before it is their turn. */
  tellAppended(entry: LogEntry): void {
    for (const follower of this.followers) if (this.followers.includes(follower)) follower.appended(entry);
  }

  tellCompleted(): void {
    for (const follower of this.followers) if (this.followers.includes(follower)) follower.completed();
  }

  tellEmptying(): void {
    for (const follower of this.followers) if (this.followers.includes(follower)) follower.emptying();
  }

  isIdle(now: number): boolean {
    return this.followers.length === 0 && now - this.touched >= this.settings.ttl;
  }
}

/** Logs in this process's memory: the default. They end with the process. */
export class MemoryBackplane implements SseBackplane {
  readonly #logs = new Map<string, MemoryLog>();
  /** Logs with events, the one that was published to longest ago first. */
  readonly #recent = new Set<MemoryLog>();
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
    const known = this.#publishIds.find(channel, publishId, Date.now());
    if (known) return known;
    const position = this.#append(channel, settings, event);
    this.#publishIds.remember(channel, publishId, position, Date.now());
    return position;
  }

  #append(channel: string, settings: ChannelSettings, event: StoredEvent): Position {
    const held = this.#open(channel, settings);
    const { log } = held;
    if (log.completed) {
      throw new SseError(
        'CHANNEL_COMPLETED',
        `The channel "${channel}" was completed. Publish to another, or wait until its ttl is over.`,
      );
    }
    const now = Date.now();
    const entry: LogEntry = { offset: log.head + 1, previous: log.head, at: now, event };
    const { bytes, size } = log;
    log.push(entry);
    this.#account(log, bytes, size);
    held.touched = now;
    this.#touch(held);
    this.#trim(held);
    held.tellAppended(entry);
    return { epoch: log.epoch, offset: entry.offset };
  }

  async follow(channel: string, settings: ChannelSettings, follower: LogFollower): Promise<FollowedLog> {
    const held = this.#open(channel, settings);
    this.#changed(held.log, () => held.log.expire(Date.now()));
    held.followers = [...held.followers, follower];
    return {
      log: held.log,
      stop: () => {
        if (!held.followers.includes(follower)) return;
        held.followers = held.followers.filter((other) => other !== follower);
        held.touched = Date.now();
      },
    };
  }

  async read(
    channel: string,
    range: { readonly after?: number; readonly limit: number },
  ): Promise<LogRange | undefined> {
    const held = this.#find(channel);
    if (!held) return undefined;
    const { log } = held;
    this.#changed(log, () => log.expire(Date.now()));
    const from =
      range.after === undefined ? Math.max(0, log.size - range.limit) : log.indexAfter(range.after);
    const entries: LogEntry[] = [];
    for (let i = from; i < log.size && entries.length < range.limit; i++) entries.push(log.at(i) as LogEntry);
    return { epoch: log.epoch, floor: log.floor, head: log.head, entries };
  }

  async complete(channel: string, settings: ChannelSettings): Promise<void> {
    const held = this.#open(channel, settings);
    if (held.log.completed) return;
    held.log.completed = true;
    held.touched = Date.now();
    held.tellCompleted();
  }

  async purge(channel: string): Promise<void> {
    const held = this.#find(channel);
    if (!held) return;
    held.tellEmptying();
    this.#empty(held);
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
    if (this.#closed) throw new SseError('HUB_CLOSED', 'The application was closed.');
    const held = this.#logs.get(channel);
    if (!held?.isIdle(Date.now())) return held;
    this.#drop(held);
    return undefined;
  }

  #open(channel: string, settings: ChannelSettings): MemoryLog {
    const held = this.#find(channel);
    if (held) return held;
    if (this.#logs.size >= this.limits.channels) this.#makeRoom();
    if (this.#logs.size >= this.limits.channels) {
      throw new SseError(
        'HUB_FULL',
        `There are ${this.#logs.size} channels, which is limits.channels. Raise it, or shorten the channels' ttl.`,
      );
    }
    const made = new MemoryLog(channel, settings);
    this.#logs.set(channel, made);
    this.#sweepWithin(Math.min(settings.ttl, settings.history?.age ?? Infinity));
    return made;
  }

  /** Gives back what is idle, and what nobody has published to or listens to. Not often: it looks at all logs. */
  #makeRoom(): void {
    const now = Date.now();
    if (now < this.#madeRoomAt + ROOM_INTERVAL) return;
    this.#madeRoomAt = now;
    for (const held of this.#logs.values()) {
      const isUnused = held.followers.length === 0 && held.log.head === 0 && !held.log.completed;
      if (isUnused || held.isIdle(now)) this.#drop(held);
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
      if (held !== current) this.#empty(held);
      else this.#changed(held.log, () => held.log.shrink(held.log.bytes - (this.#bytes - historyBytes)));
    }
  }

  #empty(held: MemoryLog): void {
    this.#changed(held.log, () => held.log.clear());
    this.#recent.delete(held);
    if (this.#latest === held) this.#latest = undefined;
  }

  #drop(held: MemoryLog): void {
    this.#empty(held);
    this.#logs.delete(held.name);
  }

  /** Takes in what has changed of a log. */
  #account(log: EventLog, bytesBefore: number, sizeBefore: number): void {
    this.#bytes += log.bytes - bytesBefore;
    this.#events += log.size - sizeBefore;
  }

  #changed(log: EventLog, change: () => void): void {
    const { bytes, size } = log;
    change();
    this.#account(log, bytes, size);
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
    const now = Date.now();
    let looked = 0;
    for (const held of logs) {
      if (held.isIdle(now)) this.#drop(held);
      else this.#changed(held.log, () => held.log.expire(now));
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
