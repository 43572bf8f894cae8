import { WINDOW } from '../../log/backplane.js';
import type { LogEntry } from '../../log/event-log.js';
import { newMark } from '../../log/mark.js';
import type { StoredEvent } from '../../log/stored-event.js';
import type { Position } from '../../protocol/position.js';
import { channelCompleted, tooManyChannels } from '../../sse.errors.js';
import type { SseLimits } from '../../sse.options.js';
import type { ChannelSettings } from '../../sse.settings.js';
import type { LogBirths, Slot } from '../common/log-births.js';
import type { Catalogue, HeldChannel } from './catalogue.js';
import type { Database } from './database.js';
import { sizeOf, type ChannelRecord } from './records.js';

export type LmdbLimits = Pick<Required<SseLimits>, 'channels' | 'historyBytes'>;

/** The change of one channel by a draft. */
export interface Change {
  readonly before: Readonly<ChannelRecord> | undefined;
  /** As it will be; nothing if it will be gone. */
  after: ChannelRecord | undefined;
  /** The entries that are not on the disk yet. */
  added: LogEntry[];
}

/** A will as it will be; without a text it will be gone. */
export interface DraftedWill {
  readonly instance: string;
  readonly id: string;
  readonly text: string | undefined;
}

/** Events, and bytes of them, with which a transaction is large enough: a larger one is hardly any faster. */
const FULL = { events: 1_000, bytes: 4 * 1024 * 1024 };
/** The least time between two searches for room, in milliseconds. */
const ROOM_INTERVAL = 1_000;

/**
 * The changes of the next transaction: all of them become true when it is committed, or none. A draft shows each
 * channel as it will be.
 */
export class Draft {
  readonly changed = new Map<string, Change>();
  /** The positions of what was published with an id, by channel and id. */
  readonly published = new Map<string, Map<string, Position>>();
  /** Changes of {@link LogBirths}, as logs are let go of. */
  readonly ended: Slot[] = [];
  /** Whether what is left over from earlier is deleted too. */
  cleans = false;
  readonly wills: DraftedWill[] = [];
  #bytes: number;
  #channels: number;
  #events = 0;
  #eventBytes = 0;
  /** The logs that may have to make room, in their turn. */
  readonly #oldest: Iterator<HeldChannel>;

  constructor(
    private readonly catalogue: Catalogue,
    private readonly database: Database,
    private readonly births: LogBirths,
    private readonly limits: LmdbLimits,
    /** Milliseconds since 1970. */
    readonly now: number,
  ) {
    this.#bytes = catalogue.bytes;
    this.#channels = catalogue.channels.size;
    this.#oldest = catalogue.recent.values();
  }

  get isFull(): boolean {
    return this.#events >= FULL.events || this.#eventBytes >= FULL.bytes;
  }

  get isEmpty(): boolean {
    return this.changed.size === 0 && !this.cleans && this.wills.length === 0;
  }

  /** A channel as it will be. One that should have been given back is not there, however late the sweep comes. */
  find(channel: string): Readonly<ChannelRecord> | undefined {
    const change = this.changed.get(channel);
    if (change) return change.after;
    const held = this.catalogue.channels.get(channel);
    return held?.isIdle(this.now) ? undefined : held?.record;
  }

  /** The position of a channel that is not there. Should its last log still be on the disk, that goes now. */
  nothingYet(channel: string): Position {
    const held = this.catalogue.channels.get(channel);
    if (held?.record && !this.changed.has(channel)) this.#drop(channel);
    return held?.log?.head ?? { offset: 0, mark: this.births.markOf(channel) };
  }

  /**
   * Makes room for a channel that is not there.
   *
   * @throws SseError `HUB_FULL`
   */
  admit(channel: string): void {
    // One that is followed already has its room.
    if (this.catalogue.channels.has(channel) && !this.changed.has(channel)) return;
    if (this.#channels >= this.limits.channels) this.#dropIdle();
    if (this.#channels >= this.limits.channels) throw tooManyChannels(this.#channels);
    this.#channels++;
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
  append(channel: string, settings: ChannelSettings, event: StoredEvent): LogEntry {
    if (this.find(channel)?.completed) {
      throw channelCompleted(channel);
    }
    const record = this.use(channel, settings);
    const change = this.#change(channel);
    const { head: previous } = record;
    const [offset, mark] = [previous.offset + 1, newMark()];
    const entry: LogEntry = { offset, mark, previous, at: this.now, event };
    change.added.push(entry);
    record.head = { offset, mark };
    record.bytes += event.bytes;
    this.#bytes += event.bytes;
    this.#events++;
    this.#eventBytes += event.bytes;
    const { count, bytes } = settings.history ?? WINDOW;
    while (sizeOf(record) > 1 && (sizeOf(record) > count || record.bytes > bytes)) this.#evict(change);
    this.#expire(change);
    this.#trim(change);
    return entry;
  }

  remember(channel: string, publishId: string, position: Position): void {
    const ids = this.published.get(channel) ?? new Map<string, Position>();
    this.published.set(channel, ids.set(publishId, position));
  }

  complete(channel: string, settings: ChannelSettings): void {
    this.use(channel, settings).completed = true;
  }

  /** Lets go of all events of a channel that is there, as somebody wants that. */
  purge(channel: string): void {
    const record = this.#empty(channel);
    record.clearedAt = record.head.offset;
  }

  /** Does to a channel what time asks for. */
  age(held: HeldChannel): void {
    const isThere = this.catalogue.channels.get(held.name) === held;
    const { record } = held;
    if (!isThere || !record || this.changed.has(held.name)) return;
    if (held.isIdle(this.now)) return this.#drop(held.name);
    // A channel that is only followed is touched this seldom: well enough for a start after a crash.
    const lastUse = held.lastUse(this.now);
    if (lastUse - record.touched >= record.ttl / 4) {
      (this.#change(held.name).after as ChannelRecord).touched = lastUse;
    }
    if (this.#isExpired(record, [])) this.#expire(this.#change(held.name));
  }

  #empty(channel: string): ChannelRecord {
    const record = this.#change(channel).after as ChannelRecord;
    this.#bytes -= record.bytes;
    record.bytes = 0;
    record.floor = record.head;
    return record;
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

  #make(channel: string): ChannelRecord {
    const begin = this.nothingYet(channel);
    this.admit(channel);
    const start = { head: begin, floor: begin, clearedAt: 0, bytes: 0, completed: false };
    const made = { log: newMark(), ...start, touched: this.now, ttl: Infinity, age: Infinity };
    this.#change(channel).after = made;
    return made;
  }

  #drop(channel: string): void {
    const change = this.#change(channel);
    this.#bytes -= change.after?.bytes ?? 0;
    this.#channels--;
    change.after = undefined;
    change.added = [];
    this.ended.push(this.births.ended(channel));
  }

  /** Gives back what is idle. Not often: it looks at all channels. */
  #dropIdle(): void {
    if (this.now < this.catalogue.madeRoomAt + ROOM_INTERVAL) return;
    this.catalogue.madeRoomAt = this.now;
    for (const held of this.catalogue.channels.values()) {
      if (!this.changed.has(held.name) && held.isIdle(this.now)) this.#drop(held.name);
    }
  }

  /** Makes room for all logs together: empties the one that has been idle longest, and shortens this one last. */
  #trim(current: Change): void {
    const { historyBytes } = this.limits;
    while (this.#bytes > historyBytes) {
      const next = this.#oldest.next();
      if (next.done) break;
      const change = this.changed.get(next.value.name);
      if (!change || (change.after && change.added.length === 0)) this.#empty(next.value.name);
    }
    for (const [channel, change] of this.changed) {
      if (this.#bytes <= historyBytes) return;
      if (change !== current && change.after) this.#empty(channel);
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

  #evict({ after, added }: Change): void {
    const record = after as ChannelRecord;
    const { offset, mark, event } = this.#oldestOf(record, added);
    record.floor = { offset, mark };
    record.bytes -= event.bytes;
    this.#bytes -= event.bytes;
  }

  #oldestOf({ log, floor }: Readonly<ChannelRecord>, added: readonly LogEntry[]): LogEntry {
    const offset = floor.offset + 1;
    return added[offset - (added[0]?.offset ?? Infinity)] ?? this.database.entry(log, offset);
  }
}
