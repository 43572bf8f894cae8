import type { BackplaneStats, LogFollower } from '../../hub/backplane.js';
import type { EventLog } from '../../hub/event-log.js';
import type { ChannelRecord } from './records.js';

/** A channel, and who follows it here. */
export class HeldChannel {
  /** Never changed but replaced, so that those may leave who are being told. */
  followers: readonly LogFollower[] = [];
  /** A copy of what is on the disk, while somebody follows. */
  log: EventLog | undefined;
  /** When its last follower left. */
  #left = 0;

  constructor(
    readonly name: string,
    /** As it is on the disk. */
    public record: Readonly<ChannelRecord>,
  ) {}

  /** Tells those who follow now, but for those who stop before it is their turn. */
  tell(what: (follower: LogFollower) => void): void {
    for (const follower of this.followers) if (this.followers.includes(follower)) what(follower);
  }

  follow(follower: LogFollower): void {
    this.followers = [...this.followers, follower];
  }

  /** The last one to leave takes the copy with it. */
  leave(follower: LogFollower): void {
    if (!this.followers.includes(follower)) return;
    this.followers = this.followers.filter((other) => other !== follower);
    if (this.followers.length > 0) return;
    this.log = undefined;
    this.#left = Date.now();
  }

  /** When it was last published to, or followed. */
  lastUse(now: number): number {
    return this.followers.length > 0 ? now : Math.max(this.record.touched, this.#left);
  }

  isIdle(now: number): boolean {
    return now - this.lastUse(now) >= this.record.ttl;
  }

  /** Whether nobody has published to it or listens to it. */
  get isUnused(): boolean {
    const { head, completed } = this.record;
    return this.followers.length === 0 && head === 0 && !completed;
  }
}

/** All channels on the disk, as the last transaction has left them. Of their events it has the numbers alone. */
export class Catalogue {
  readonly channels = new Map<string, HeldChannel>();
  /** Those with events, the one that was published to longest ago first. */
  readonly recent = new Set<HeldChannel>();
  bytes = 0;
  events = 0;
  /** When channels were last given back for want of room. */
  madeRoomAt = 0;

  constructor(records: Iterable<{ readonly key: string; readonly value: ChannelRecord }>) {
    const held = Array.from(records, ({ key, value }) => new HeldChannel(key, value));
    held.sort((one, other) => one.record.touched - other.record.touched);
    for (const channel of held) {
      this.channels.set(channel.name, channel);
      this.#count(channel.record, 1);
      if (sizeOf(channel.record) > 0) this.recent.add(channel);
    }
  }

  /** Takes in what was written of a channel: that it is so, or gone. */
  set(name: string, record: ChannelRecord | undefined, wasPublishedTo: boolean): void {
    let held = this.channels.get(name);
    if (held) this.#count(held.record, -1);
    if (held && (!record || sizeOf(record) === 0 || wasPublishedTo)) this.recent.delete(held);
    if (!record) {
      this.channels.delete(name);
      return;
    }
    this.#count(record, 1);
    if (held) held.record = record;
    else this.channels.set(name, (held = new HeldChannel(name, record)));
    if (wasPublishedTo && sizeOf(record) > 0) this.recent.add(held);
  }

  get stats(): BackplaneStats {
    return { channels: this.channels.size, historyEvents: this.events, historyBytes: this.bytes };
  }

  clear(): void {
    for (const held of this.channels.values()) {
      held.followers = [];
      held.log = undefined;
    }
    this.channels.clear();
    this.recent.clear();
    this.bytes = 0;
    this.events = 0;
  }

  #count(record: ChannelRecord, sign: 1 | -1): void {
    this.bytes += sign * record.bytes;
    this.events += sign * sizeOf(record);
  }
}

/** Offsets have no holes on the disk. */
export const sizeOf = ({ head, floor }: ChannelRecord): number => head - floor;
