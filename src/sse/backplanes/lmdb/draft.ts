import { WINDOW } from '../../log/backplane.js';
import type { LogEntry } from '../../log/event-log.js';
import { newMark } from '../common/mark.js';
import type { StoredEvent } from '../../log/stored-event.js';
import type { Position } from '../../protocol/position.js';
import { channelCompleted, tooManyChannels } from '../../sse.errors.js';
import type { SseLimits } from '../../sse.options.js';
import type { ChannelSettings } from '../../sse.settings.js';
import type { LogBirths, Slot } from '../common/log-births.js';
import type { Catalogue, HeldChannel } from './catalogue.js';
import type { Database } from './database.js';
import { sizeOf, type ChannelRecord, type PublishIdRecord } from './records.js';

export type LmdbLimits = Pick<Required<SseLimits>, 'channels' | 'historyBytes'>;

/** The change of one channel by a draft. */
export interface Change {
  readonly before: Readonly<ChannelRecord> | undefined;
  /** As it will be; undefined if it will be gone. */
  after: ChannelRecord | undefined;
  /** The new entries, including those that have already made room for later ones. */
  readonly added: LogEntry[];
}

/** The events, or their bytes, that make a transaction large enough: a larger one is hardly any faster. */
const FULL = { events: 1_000, bytes: 4 * 1024 * 1024 };
/** The least time between two searches for idle channels, in milliseconds. */
const ROOM_INTERVAL = 1_000;

/**
 * The changes of the next transaction: all of them become true when it is committed, or none. A draft shows each
 * channel as it will be. `writeDraft()` writes it.
 */
export class Draft {
  readonly changed = new Map<string, Change>();
  /** Events that are published with a `publishId`, by {@link publishIdKey}. */
  readonly published = new Map<string, PublishIdRecord>();
  /** Changes of {@link LogBirths}, as logs are let go of. */
  readonly ended: Slot[] = [];
  /** Wills as they will be; those without a text will be gone. */
  readonly wills: (readonly [instance: string, id: string, text: string | undefined])[] = [];
  /** Whether the transaction also deletes some of what earlier ones have left over. */
  cleans = false;
  #bytes: number;
  #channels: number;
  #events = 0;
  #eventBytes = 0;
  /** The logs with events, in the order in which they have to make room. */
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

  /** A channel as it will be. One that has outlived its ttl goes now, however late the sweep comes. */
  find(channel: string): Readonly<ChannelRecord> | undefined {
    const change = this.changed.get(channel);
    if (change) return change.after;
    const held = this.catalogue.channels.get(channel);
    if (!held?.isIdle(this.now)) return held?.record;
    this.#drop(channel);
    return undefined;
  }

  /** The position of a channel that is not there. */
  nothingYet(channel: string): Position {
    const followed = this.catalogue.channels.get(channel)?.log;
    return followed?.head ?? { offset: 0, mark: this.births.markOf(channel) };
  }

  /**
   * Counts in a channel that is not there, and makes room for it.
   *
   * @throws SseError `HUB_FULL`
   */
  admit(channel: string): void {
    // A channel that is followed is counted already.
    if (this.catalogue.channels.has(channel) && !this.changed.has(channel)) return;
    if (this.#channels >= this.limits.channels) this.#dropIdle();
    if (this.#channels >= this.limits.channels) throw tooManyChannels(this.#channels);
    this.#channels++;
  }

  /**
   * The record of a channel, to be changed, with these settings. It is made if it is not there.
   *
   * @throws SseError `HUB_FULL`
   */
  use(channel: string, settings: ChannelSettings): ChannelRecord {
    const record = this.find(channel) ? this.#there(channel) : this.#make(channel);
    const { age } = settings.history ?? WINDOW;
    return Object.assign(record, { touched: this.now, ttl: settings.ttl, age });
  }

  /** @throws SseError `HUB_FULL`, `CHANNEL_COMPLETED` */
  append(channel: string, settings: ChannelSettings, event: StoredEvent): Position {
    if (this.find(channel)?.completed) throw channelCompleted(channel);
    const record = this.use(channel, settings);
    const { added } = this.#change(channel);
    const previous = record.head;
    const position = { offset: previous.offset + 1, mark: newMark() };
    // Written out, as a spread takes V8 six microseconds for each event.
    added.push({ offset: position.offset, mark: position.mark, previous, at: this.now, event });
    record.head = position;
    record.bytes += event.bytes;
    this.#bytes += event.bytes;
    this.#events++;
    this.#eventBytes += event.bytes;
    const { count, bytes } = settings.history ?? WINDOW;
    while (sizeOf(record) > 1 && (sizeOf(record) > count || record.bytes > bytes)) this.#evict(record, added);
    while (this.#isExpired(record, added)) this.#evict(record, added);
    this.#trim(record, added);
    return position;
  }

  /** Lets go of all events of a channel that is there. */
  empty(channel: string): ChannelRecord {
    const record = this.#there(channel);
    this.#bytes -= record.bytes;
    record.bytes = 0;
    record.floor = record.head;
    return record;
  }

  /** Gives back a channel, or events of it, that have outlived their time. */
  age({ name }: HeldChannel): void {
    if (this.changed.has(name)) return;
    const record = this.find(name);
    const held = this.catalogue.channels.get(name);
    if (!record || !held) return;
    // Being followed is written down four times in a ttl: exact enough for a start after a crash.
    const lastUse = held.lastUse(this.now);
    if (lastUse - record.touched >= record.ttl / 4) this.#there(name).touched = lastUse;
    while (this.#isExpired(this.find(name), [])) this.#evict(this.#there(name), []);
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

  /** The record of a channel that is there, to be changed. */
  #there(channel: string): ChannelRecord {
    return this.#change(channel).after as ChannelRecord;
  }

  #make(channel: string): ChannelRecord {
    this.admit(channel);
    const begin = this.nothingYet(channel);
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
    this.ended.push(this.births.ended(channel));
  }

  /** Drops the idle channels. Not often, as it looks at all. */
  #dropIdle(): void {
    if (this.now < this.catalogue.madeRoomAt + ROOM_INTERVAL) return;
    this.catalogue.madeRoomAt = this.now;
    for (const name of this.catalogue.channels.keys()) this.find(name);
  }

  /** Keeps `historyBytes`: empties the logs that were published to longest ago, and shortens this one last. */
  #trim(current: ChannelRecord, added: readonly LogEntry[]): void {
    const { historyBytes } = this.limits;
    while (this.#bytes > historyBytes) {
      const next = this.#oldest.next();
      if (next.done) break;
      const { name } = next.value;
      const change = this.changed.get(name);
      if (!change || (change.after && change.added.length === 0)) this.empty(name);
    }
    for (const [channel, { after }] of this.changed) {
      if (this.#bytes <= historyBytes) return;
      if (after && after !== current) this.empty(channel);
    }
    while (this.#bytes > historyBytes && sizeOf(current) > 1) this.#evict(current, added);
  }

  #isExpired(record: Readonly<ChannelRecord> | undefined, added: readonly LogEntry[]): boolean {
    if (!record || record.age === Infinity || sizeOf(record) === 0) return false;
    return this.#oldestOf(record, added).at <= this.now - record.age;
  }

  #evict(record: ChannelRecord, added: readonly LogEntry[]): void {
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
