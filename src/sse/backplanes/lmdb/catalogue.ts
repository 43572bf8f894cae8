import type { BackplaneStats, LogFollower } from '../../log/backplane.js';
import type { EventLog } from '../../log/event-log.js';
import { sizeOf, type ChannelRecord } from './records.js';

/** A channel that is on the disk, or that somebody follows here, or both. */
export class HeldChannel {
  /** As it is on the disk; nothing if it is not there. */
  record: Readonly<ChannelRecord> | undefined;
  /** Never changed but replaced, so that those may leave who are being told. */
  followers: readonly LogFollower[] = [];
  /** A copy of what is on the disk, while somebody follows. */
  log: EventLog | undefined;
  /** When its last follower left. */
  left = 0;

  constructor(readonly name: string) {}

  /** Tells those who follow now, but for those who stop before it is their turn. */
  tell(what: (follower: LogFollower) => void): void {
    for (const follower of this.followers) if (this.followers.includes(follower)) what(follower);
  }

  get isFollowed(): boolean {
    return this.followers.length > 0;
  }

  /** When it was last published to, or followed. */
  lastUse(now: number): number {
    return this.isFollowed ? now : Math.max(this.record?.touched ?? 0, this.left);
  }

  isIdle(now: number): boolean {
    return this.record !== undefined && now - this.lastUse(now) >= this.record.ttl;
  }
}

/** All channels, as the last transaction has left them. Of their events it has the numbers alone. */
export class Catalogue {
  readonly channels = new Map<string, HeldChannel>();
  /** Channels with events, the one that was published to longest ago first. */
  readonly recent = new Set<HeldChannel>();
  bytes = 0;
  events = 0;
  /** When channels were last given back for want of room. */
  madeRoomAt = 0;

  /** Takes in all that is on the disk. Answers the channels that are followed, whose copies are outdated now. */
  load(records: Iterable<{ readonly key: string; readonly value: ChannelRecord }>): HeldChannel[] {
    const followed = [...this.channels.values()].filter(({ isFollowed }) => isFollowed);
    this.#clear();
    for (const held of followed) {
      held.record = undefined;
      this.channels.set(held.name, held);
    }
    const sorted = [...records].sort((one, other) => one.value.touched - other.value.touched);
    for (const { key, value } of sorted) this.set(key, value, 'published');
    return followed;
  }

  /** Takes in a channel's record as it was written; without one the channel is gone. */
  set(name: string, record: ChannelRecord | undefined, use: 'published' | 'other'): void {
    const held = this.channels.get(name) ?? new HeldChannel(name);
    this.#count(held.record, -1);
    const wasPublishedTo = use === 'published';
    if (!record || sizeOf(record) === 0 || wasPublishedTo) this.recent.delete(held);
    held.record = record;
    this.#count(record, 1);
    if (!record) this.channels.delete(name);
    else this.channels.set(name, held);
    if (record && wasPublishedTo && sizeOf(record) > 0) this.recent.add(held);
  }

  /** The channel, for one who follows it. The first to come brings a copy of its log. */
  follow(name: string, follower: LogFollower, copy: (held: HeldChannel) => EventLog): HeldChannel {
    const held = this.channels.get(name) ?? new HeldChannel(name);
    held.log ??= copy(held);
    held.followers = [...held.followers, follower];
    this.channels.set(name, held);
    return held;
  }

  /** The last one to leave takes the copy with it, and what is not on the disk. */
  leave(held: HeldChannel, follower: LogFollower, now: number): void {
    if (!held.followers.includes(follower)) return;
    held.followers = held.followers.filter((other) => other !== follower);
    if (held.isFollowed) return;
    held.log = undefined;
    held.left = now;
    if (!held.record) this.channels.delete(held.name);
  }

  /** The newest time that is on the disk. */
  get lastUse(): number {
    let newest = 0;
    for (const { record } of this.channels.values()) newest = Math.max(newest, record?.touched ?? 0);
    return newest;
  }

  get stats(): BackplaneStats {
    return { channels: this.channels.size, historyEvents: this.events, historyBytes: this.bytes };
  }

  close(): void {
    for (const held of this.channels.values()) {
      held.followers = [];
      held.log = undefined;
    }
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
