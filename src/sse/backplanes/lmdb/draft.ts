import { WINDOW } from '../../hub/backplane.js';
import type { LogEntry } from '../../hub/event-log.js';
import type { StoredEvent } from '../../hub/stored-event.js';
import type { Position } from '../../protocol/position.js';
import { SseError } from '../../sse.errors.js';
import type { SseLimits } from '../../sse.options.js';
import type { ChannelSettings } from '../../sse.settings.js';
import { newEpoch } from '../epoch.js';
import { sizeOf, type Catalogue, type HeldChannel } from './catalogue.js';
import type { Database } from './database.js';
import type { ChannelRecord } from './records.js';

export type LmdbLimits = Pick<Required<SseLimits>, 'channels' | 'historyBytes'>;

/** What will have become of a channel. */
export interface Change {
  readonly before: Readonly<ChannelRecord> | undefined;
  /** As it will be; nothing if it will be gone. */
  after: ChannelRecord | undefined;
  /** The entries that are not on the disk yet. */
  added: LogEntry[];
}

/** Events, and bytes of them, with which a transaction is large enough: a larger one is hardly any faster. */
const FULL = { events: 1_000, bytes: 4 * 1024 * 1024 };
/** The least time between two searches for room, in milliseconds. */
const ROOM_INTERVAL = 1_000;

/**
 * What the next transaction changes: all of it becomes true when that is committed, or nothing.
 * It shows each channel as it will be.
 */
export class Draft {
  readonly now = Date.now();
  readonly changed = new Map<string, Change>();
  /** The positions of what was published with an id, by channel and id. */
  readonly published = new Map<string, Map<string, Position>>();
  /** Whether what is left over from earlier is deleted too. */
  cleans = false;
  #bytes: number;
  #channels: number;
  #events = 0;
  #eventBytes = 0;
  /** The logs that may have to make room, in their turn. */
  readonly #oldest: Iterator<HeldChannel>;

  constructor(
    private readonly catalogue: Catalogue,
    private readonly database: Database,
    private readonly limits: LmdbLimits,
  ) {
    this.#bytes = catalogue.bytes;
    this.#channels = catalogue.channels.size;
    this.#oldest = catalogue.recent.values();
  }

  get isFull(): boolean {
    return this.#events >= FULL.events || this.#eventBytes >= FULL.bytes;
  }

  get isEmpty(): boolean {
    return this.changed.size === 0 && !this.cleans;
  }

  /** A channel as it will be. One that should have been given back is not there, however late the sweep comes. */
  find(channel: string): Readonly<ChannelRecord> | undefined {
    const change = this.changed.get(channel);
    if (change) return change.after;
    const held = this.catalogue.channels.get(channel);
    return held?.isIdle(this.now) ? undefined : held?.record;
  }

  /**
   * A channel for those who use it, which comes into being if it is not there.
   *
   * @throws SseError `HUB_FULL`
   */
  use(channel: string, settings: ChannelSettings): ChannelRecord {
    const isThere = this.find(channel) !== undefined;
    const record = isThere ? (this.#change(channel).after as ChannelRecord) : this.#make(channel);
    record.touched = this.now;
    record.ttl = settings.ttl;
    record.age = (settings.history ?? WINDOW).age;
    return record;
  }

  /** @throws SseError `HUB_FULL`, `CHANNEL_COMPLETED` */
  append(channel: string, settings: ChannelSettings, event: StoredEvent): { epoch: string; entry: LogEntry } {
    if (this.find(channel)?.completed) {
      throw new SseError(
        'CHANNEL_COMPLETED',
        `The channel "${channel}" was completed. Publish to another, or wait until its ttl is over.`,
      );
    }
    const record = this.use(channel, settings);
    const change = this.#change(channel);
    const entry: LogEntry = { offset: record.head + 1, previous: record.head, at: this.now, event };
    change.added.push(entry);
    record.head = entry.offset;
    record.bytes += event.bytes;
    this.#bytes += event.bytes;
    this.#events++;
    this.#eventBytes += event.bytes;
    const { count, bytes } = settings.history ?? WINDOW;
    while (sizeOf(record) > 1 && (sizeOf(record) > count || record.bytes > bytes)) this.#evict(change);
    this.#expire(change);
    this.#trim(change);
    return { epoch: record.epoch, entry };
  }

  remember(channel: string, publishId: string, position: Position): void {
    const ids = this.published.get(channel) ?? new Map<string, Position>();
    this.published.set(channel, ids.set(publishId, position));
  }

  complete(channel: string, settings: ChannelSettings): void {
    this.use(channel, settings).completed = true;
  }

  /** Lets go of all events of a channel that is there. */
  empty(channel: string): void {
    const record = this.#change(channel).after as ChannelRecord;
    this.#bytes -= record.bytes;
    record.bytes = 0;
    record.floor = record.clearedAt = record.head;
  }

  /** Does to a channel what time asks for. */
  age(held: HeldChannel): void {
    const isThere = this.catalogue.channels.get(held.name) === held;
    if (!isThere || this.changed.has(held.name)) return;
    if (held.isIdle(this.now)) return this.#drop(held.name);
    const { record } = held;
    // Of one that is only followed the disk knows the time well enough for a start after a crash.
    const lastUse = held.lastUse(this.now);
    if (lastUse - record.touched >= record.ttl / 4) {
      (this.#change(held.name).after as ChannelRecord).touched = lastUse;
    }
    if (this.#isExpired(record, [])) this.#expire(this.#change(held.name));
  }

  #change(channel: string): Change {
    let change = this.changed.get(channel);
    if (!change) {
      const before = this.catalogue.channels.get(channel)?.record;
      change = { before, after: before && { ...before }, added: [] };
      this.changed.set(channel, change);
    }
    return change;
  }

  /** A new channel, also in the place of one whose ttl is over. */
  #make(channel: string): ChannelRecord {
    const isOver = this.catalogue.channels.has(channel) && !this.changed.has(channel);
    if (isOver) this.#drop(channel);
    if (this.#channels >= this.limits.channels) this.#dropUnused();
    if (this.#channels >= this.limits.channels) {
      throw new SseError(
        'HUB_FULL',
        `There are ${this.#channels} channels, which is limits.channels. Raise it, or shorten the channels' ttl.`,
      );
    }
    this.#channels++;
    const start = { head: 0, floor: 0, clearedAt: 0, bytes: 0, completed: false };
    const made = { epoch: newEpoch(), ...start, touched: this.now, ttl: Infinity, age: Infinity };
    this.#change(channel).after = made;
    return made;
  }

  #drop(channel: string): void {
    const change = this.#change(channel);
    this.#bytes -= change.after?.bytes ?? 0;
    this.#channels--;
    change.after = undefined;
    change.added = [];
  }

  /** Gives back what is idle, and what nobody has published to or listens to. Not often: it looks at all channels. */
  #dropUnused(): void {
    if (this.now < this.catalogue.madeRoomAt + ROOM_INTERVAL) return;
    this.catalogue.madeRoomAt = this.now;
    for (const held of this.catalogue.channels.values()) {
      if (this.changed.has(held.name)) continue;
      if (held.isUnused || held.isIdle(this.now)) this.#drop(held.name);
    }
  }

  /** Makes room for all logs together: empties the one that has been idle longest, and shortens this one last. */
  #trim(current: Change): void {
    const { historyBytes } = this.limits;
    while (this.#bytes > historyBytes) {
      const next = this.#oldest.next();
      if (next.done) break;
      const change = this.changed.get(next.value.name);
      if (!change || (change.after && change.added.length === 0)) this.empty(next.value.name);
    }
    for (const [channel, change] of this.changed) {
      if (this.#bytes <= historyBytes) return;
      if (change !== current && change.after) this.empty(channel);
    }
    while (this.#bytes > historyBytes && sizeOf(current.after as ChannelRecord) > 1) this.#evict(current);
  }

  #isExpired(record: Readonly<ChannelRecord>, added: readonly LogEntry[]): boolean {
    if (record.age === Infinity || sizeOf(record) === 0) return false;
    return this.#oldestOf(record, added).at <= this.now - record.age;
  }

  #expire(change: Change): void {
    while (this.#isExpired(change.after as ChannelRecord, change.added)) this.#evict(change);
  }

  #evict(change: Change): void {
    const record = change.after as ChannelRecord;
    const { bytes } = this.#oldestOf(record, change.added);
    record.floor++;
    // What is not as it should be on the disk does not spoil the accounts for ever.
    const left = sizeOf(record) === 0 ? 0 : Math.max(0, record.bytes - bytes);
    this.#bytes -= record.bytes - left;
    record.bytes = left;
  }

  #oldestOf(record: Readonly<ChannelRecord>, added: readonly LogEntry[]): { at: number; bytes: number } {
    const offset = record.floor + 1;
    const entry = added[offset - (added[0]?.offset ?? Infinity)];
    if (entry) return { at: entry.at, bytes: entry.event.bytes };
    const [at, bytes] = this.database.entries.get([record.epoch, offset]) ?? [0, 0];
    return { at, bytes };
  }
}
