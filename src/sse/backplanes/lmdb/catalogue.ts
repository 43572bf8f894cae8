import type { LogFollower } from '../../log/backplane.js';
import type { EventLog, LogEntry } from '../../log/event-log.js';
import { Followers } from '../common/followers.js';
import { sizeOf, type ChannelRecord } from './records.js';

/** A channel that is on the disk, or that somebody follows here, or both. */
export class HeldChannel {
  /** As it is on the disk; undefined if it is not there. */
  record: Readonly<ChannelRecord> | undefined;
  readonly followers = new Followers<LogFollower>();
  /** A copy of the log on the disk, while somebody follows. */
  log: EventLog | undefined;
  /** When its last follower left. */
  left = 0;

  constructor(readonly name: string) {}

  /** When it was last published to, or followed. */
  lastUse(now: number): number {
    return this.followers.size > 0 ? now : Math.max(this.record?.touched ?? 0, this.left);
  }

  isIdle(now: number): boolean {
    return this.record !== undefined && now - this.lastUse(now) >= this.record.ttl;
  }

  /** Brings the copy up to date with the record, and tells followers. */
  update(added: readonly LogEntry[]): void {
    const { log, record } = this;
    if (!log || !record) return;
    for (const entry of added) {
      log.push(entry);
      this.followers.tell((follower) => follower.appended(entry));
    }
    if (record.completed && !log.completed) {
      log.completed = true;
      this.followers.tell((follower) => follower.completed());
    }
    // The channel was purged, its events have aged, or it had to make room for others.
    if (log.floor.offset < record.floor.offset) log.clear(record.floor);
    log.clearedAt = record.clearedAt;
  }
}

/** All channels as of the last transaction. It counts their events, and does not hold them. */
export class Catalogue {
  readonly channels = new Map<string, HeldChannel>();
  /** Channels with events, the one that was published to longest ago first. */
  readonly recent = new Set<HeldChannel>();
  bytes = 0;
  events = 0;
  /** The newest time that was on the disk when it was loaded. */
  lastUse = 0;
  /** When idle channels were last looked for, for want of room. */
  madeRoomAt = 0;

  /** Loads all that is on the disk. Answers the channels that are followed, whose copies are outdated now. */
  load(records: Iterable<{ readonly key: string; readonly value: ChannelRecord }>): HeldChannel[] {
    const followed = [...this.channels.values()].filter(({ followers }) => followers.size > 0);
    this.#clear();
    for (const held of followed) {
      held.record = undefined;
      this.channels.set(held.name, held);
    }
    const sorted = [...records].sort((one, other) => one.value.touched - other.value.touched);
    for (const { key, value } of sorted) this.set(key, value, 'published');
    this.lastUse = sorted.at(-1)?.value.touched ?? 0;
    return followed;
  }

  /** Takes over a channel's record as it was written; without one the channel is gone. */
  set(name: string, record: ChannelRecord | undefined, use: 'published' | 'other'): void {
    const held = this.hold(name);
    this.#count(held.record, -1);
    this.#count(record, 1);
    held.record = record;
    const hasEvents = record !== undefined && sizeOf(record) > 0;
    if (use === 'published' || !hasEvents) this.recent.delete(held);
    if (hasEvents) this.recent.add(held);
    if (!record) this.channels.delete(name);
  }

  /** The channel of that name, which is in the catalogue from now on. */
  hold(name: string): HeldChannel {
    const held = this.channels.get(name) ?? new HeldChannel(name);
    this.channels.set(name, held);
    return held;
  }

  /** Follows up on a follower that has left. With the last one goes the copy, and a channel that is not on the disk. */
  leave(held: HeldChannel, now: number): void {
    if (held.followers.size > 0) return;
    held.log = undefined;
    held.left = now;
    if (!held.record) this.channels.delete(held.name);
  }

  close(): void {
    for (const { followers } of this.channels.values()) followers.clear();
    this.#clear();
  }

  #clear(): void {
    this.channels.clear();
    this.recent.clear();
    this.bytes = 0;
    this.events = 0;
  }

  #count(record: Readonly<ChannelRecord> | undefined, sign: 1 | -1): void {
    if (!record) return;
    this.bytes += sign * record.bytes;
    this.events += sign * sizeOf(record);
  }
}
