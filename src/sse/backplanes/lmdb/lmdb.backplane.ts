import { hubClosed } from '../../sse.errors.js';
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
import { EventLog } from '../../log/event-log.js';
import type { StoredEvent } from '../../log/stored-event.js';
import type { Position } from '../../protocol/position.js';
import type { ChannelSettings } from '../../sse.settings.js';
import { Clock } from '../common/clock.js';
import { LogBirths } from '../common/log-births.js';
import { publishIdKey, PublishIds } from '../common/publish-ids.js';
import { Sweep } from '../common/sweep.js';
import { Catalogue, type HeldChannel } from './catalogue.js';
import { CommitQueue, NO_CHANNEL } from './commit-queue.js';
import type { Database } from './database.js';
import { Draft, type LmdbLimits } from './draft.js';
import type { LmdbOptions } from './lmdb.options.js';
import { LmdbWills } from './lmdb.wills.js';
import type { PublishIdRecord } from './records.js';
import { StoredLog } from './stored-log.js';
import { writeDraft } from './write-draft.js';

/**
 * Logs in a directory of this machine, for one process at a time.
 *
 * The records of all channels are in memory (`Catalogue`) and on the disk (`Database`); the events are on the disk,
 * and in memory only for a channel that somebody follows. A channel that is only followed has nothing on the disk.
 *
 * Every call goes through `CommitQueue`: it is planned on a `Draft`, which shows the channels as they will be, and
 * `writeDraft()` writes the draft in one transaction. Only when that is on the disk memory is updated, followers are
 * told, and callers are answered. A `Sweep` deletes in the same way what has outlived its time.
 */
export class LmdbBackplane implements SseBackplane {
  readonly #catalogue = new Catalogue();
  readonly #clock: Clock;
  readonly #queue: CommitQueue;
  readonly #sweep: Sweep<HeldChannel>;
  #publishIds!: PublishIds;
  #births!: LogBirths;
  #closing: Promise<void> | undefined;

  constructor(
    private readonly database: Database,
    private readonly limits: LmdbLimits,
    settings: Required<LmdbOptions>,
  ) {
    this.#load();
    this.#clock = new Clock(this.#catalogue.lastUse);
    this.#queue = new CommitQueue(
      () => this.#begin(),
      (draft) => this.#commit(draft),
      settings,
    );
    this.#sweep = new Sweep(
      () => this.#catalogue.channels.values(),
      (some) => this.#age(some),
      ({ record }) => (record ? Math.min(record.ttl, record.age) : Infinity),
    );
    for (const { record } of this.#catalogue.channels.values())
      if (record) this.#sweep.within(Math.min(record.ttl, record.age));
    // Begins with the channels that have expired since the last process ended.
    this.#sweep.soon();
  }

  /** The event is on the disk when it resolves: neither the end of the process nor a loss of power takes it back. */
  append(
    channel: string,
    settings: ChannelSettings,
    event: StoredEvent,
    publishId?: string,
  ): Promise<Position> {
    this.#sweepFor(settings);
    return this.#queue.run('publish', channel, (draft) => {
      if (publishId !== undefined) {
        const known = this.#publishIds.find(channel, publishId, draft.now);
        if (known) return { now: known };
        // An earlier attempt is in this draft, and only the next draft knows whether it was stored.
        if (draft.published.has(publishIdKey(channel, publishId))) return 'later';
      }
      const position = draft.append(channel, settings, event);
      const { offset, mark } = position;
      if (publishId !== undefined)
        draft.published.set(publishIdKey(channel, publishId), [channel, publishId, offset, mark, draft.now]);
      return { afterCommit: () => position };
    });
  }

  follow(channel: string, settings: ChannelSettings, follower: LogFollower): Promise<FollowedLog> {
    this.#sweepFor(settings);
    const limits = limitsOf(settings);
    return this.#queue.run('other', channel, (draft) => {
      // The copy is made of the records on the disk, which have no change of this draft yet.
      if (draft.changed.has(channel)) return 'later';
      const join = () => this.#follow(channel, follower, limits);
      const found = draft.find(channel);
      if (found) {
        // Nobody waits for this write. If it fails, the next follower makes it.
        if (found.ttl !== settings.ttl || found.age !== limits.age) draft.use(channel, settings);
        return { now: join() };
      }
      draft.admit(channel);
      // Changed now means idle until now: the former log has to go from the disk first.
      return draft.changed.has(channel) ? { afterCommit: join } : { now: join() };
    });
  }

  read(channel: string, settings: ChannelSettings, query: RangeQuery): Promise<LogRange> {
    return this.#queue.run('other', channel, (draft) => {
      if (draft.changed.has(channel)) return 'later';
      const found = draft.find(channel);
      if (found) return { now: rangeOf(new StoredLog(this.database, found, draft.now), query) };
      const range = rangeOf(new EventLog(draft.nothingYet(channel), limitsOf(settings)), query);
      return draft.changed.has(channel) ? { afterCommit: () => range } : { now: range };
    });
  }

  complete(channel: string, settings: ChannelSettings): Promise<void> {
    this.#sweepFor(settings);
    return this.#queue.run('other', channel, (draft) => {
      if (!draft.find(channel)?.completed) draft.use(channel, settings).completed = true;
      return draft.changed.has(channel) ? { afterCommit: () => undefined } : { now: undefined };
    });
  }

  purge(channel: string): Promise<void> {
    return this.#queue.run('room', channel, (draft) => {
      if (!draft.find(channel)) return { now: undefined };
      const record = draft.empty(channel);
      record.clearedAt = record.head.offset;
      return { afterCommit: () => undefined };
    });
  }

  /** Counts the channels on the disk, and those that are only followed. */
  stats(): BackplaneStats {
    const { channels, events, bytes } = this.#catalogue;
    return { channels: channels.size, historyEvents: events, historyBytes: bytes };
  }

  /** A disk that takes nothing, as a full one, is seen by the calls that need it: what is stored can still be followed. */
  state(): BackplaneState {
    return { kind: this.#closing ? 'closed' : 'ready' };
  }

  /** The wills in the same directory, for an instance of that name. */
  willsOf(instance: string): LmdbWills {
    return new LmdbWills(instance, this.database, this.#queue);
  }

  close(): Promise<void> {
    return (this.#closing ??= this.#close());
  }

  async #close(): Promise<void> {
    this.#sweep.stop();
    this.#catalogue.close();
    // A transaction that has no end keeps the database, and the directory, for as long as the process lives.
    if (await this.#queue.close()) await this.database.close();
  }

  #begin(): Draft {
    if (this.database.isForeign) this.#load();
    return new Draft(this.#catalogue, this.database, this.#births, this.limits, this.#clock.now());
  }

  async #commit(draft: Draft): Promise<void> {
    let leaves = false;
    await this.database.commit(() => {
      leaves = writeDraft(draft, this.database);
    });
    if (this.#closing) return;
    for (const record of draft.published.values()) this.#remember(record);
    for (const [channel, { after, added }] of draft.changed)
      this.#catalogue.set(channel, after, added.length > 0 ? 'published' : 'other');
    for (const [channel, { added }] of draft.changed) this.#catalogue.channels.get(channel)?.update(added);
    if (leaves) this.#sweep.soon();
  }

  /** Gives back what has expired, and deletes what earlier transactions have left over. */
  async #age(some: readonly HeldChannel[]): Promise<void> {
    do {
      await this.#queue.run('room', NO_CHANNEL, (draft) => {
        draft.cleans = this.database.hasLeftovers;
        for (const held of some) draft.age(held);
        return draft.isEmpty ? { now: undefined } : { afterCommit: () => undefined };
      });
    } while (this.database.hasLeftovers);
  }

  /** Loads what is on the disk, at the start and when an older copy was put in its place. */
  #load(): void {
    const { channels, births, publishIds } = this.database.tables;
    this.#publishIds = new PublishIds();
    for (const { value } of publishIds.getRange()) this.#remember(value);
    const slots = births.getRange().map(({ key, value }) => ({ slot: key, number: value }));
    this.#births = new LogBirths(this.database.store, slots);
    for (const held of this.#catalogue.load(channels.getRange())) {
      const log = (held.log = this.#copyOf(held, (held.log as EventLog).limits));
      held.followers.tell((follower) => follower.replaced(log));
    }
    this.database.takeAsItIs();
  }

  #remember([channel, publishId, offset, mark, at]: PublishIdRecord): void {
    this.#publishIds.remember(channel, publishId, { offset, mark }, at);
  }

  #follow(channel: string, follower: LogFollower, limits: EventLog['limits']): FollowedLog {
    if (this.#closing) throw hubClosed();
    const held = this.#catalogue.hold(channel);
    const log = (held.log ??= this.#copyOf(held, limits));
    const leave = held.followers.add(follower);
    log.expire(this.#clock.now());
    return {
      log,
      stop: () => {
        if (leave()) this.#catalogue.leave(held, this.#clock.now());
      },
    };
  }

  #copyOf(held: HeldChannel, limits: EventLog['limits']): EventLog {
    const { name, record, followers } = held;
    const begin = record?.floor ?? { offset: 0, mark: this.#births.markOf(name) };
    const log = new EventLog(begin, limits, () => followers.tell((follower) => follower.leaving()));
    if (!record) return log;
    for (let offset = record.floor.offset + 1; offset <= record.head.offset; offset++)
      log.push(this.database.entry(record.log, offset));
    log.clearedAt = record.clearedAt;
    log.completed = record.completed;
    return log;
  }

  #sweepFor(settings: ChannelSettings): void {
    this.#sweep.within(Math.min(settings.ttl, limitsOf(settings).age));
  }
}

const limitsOf = (settings: ChannelSettings) => settings.history ?? WINDOW;
