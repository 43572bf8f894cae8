import { hubClosed } from '../../sse.errors.js';
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
import { EventLog } from '../../log/event-log.js';
import { rangeOf } from '../../log/log-range.js';
import type { StoredEvent } from '../../log/stored-event.js';
import type { Position } from '../../protocol/position.js';
import type { ChannelSettings } from '../../sse.settings.js';
import { LogBirths } from '../common/log-births.js';
import { Catalogue, type HeldChannel } from './catalogue.js';
import { CommitQueue } from './commit-queue.js';
import type { Database } from './database.js';
import { writeDraft } from './draft-writer.js';
import { Draft, type LmdbLimits } from './draft.js';
import type { LmdbOptions } from './lmdb.options.js';
import { StoredLog } from './stored-log.js';
import { LmdbWills, writeWills } from './lmdb.wills.js';
import { StoredPublishIds } from './stored-publish-ids.js';
import { Sweep } from './sweep.js';

/**
 * Logs in a directory of this machine, for one process at a time.
 *
 * The records of all channels are in memory (`Catalogue`) and on the disk (`Database`); the events are on the disk,
 * and in memory only for a channel that somebody follows. A channel that is only followed has nothing on the disk.
 *
 * Every call goes through `CommitQueue`: it is planned on a `Draft`, which shows the channels as they will be,
 * `writeDraft()` writes the draft in one transaction, and only when that is on the disk callers are answered, memory is
 * updated and followers are told. `Sweep` deletes in the same way what has outlived its time.
 */
export class LmdbBackplane implements SseBackplane {
  readonly #catalogue = new Catalogue();
  readonly #clock: Clock;
  readonly #queue: CommitQueue;
  readonly #sweep: Sweep;
  #publishIds!: StoredPublishIds;
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
      {
        begin: () => this.#begin(),
        commit: (draft) => this.#commit(draft),
        ended: (draft) => this.#ended(draft),
      },
      settings,
    );
    this.#sweep = new Sweep(this.#catalogue, database, this.#queue);
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
        const drafted = draft.published.get(channel)?.get(publishId);
        if (drafted) return { afterCommit: () => drafted };
      }
      const entry = draft.append(channel, settings, event);
      const position = { offset: entry.offset, mark: entry.mark };
      if (publishId !== undefined) draft.remember(channel, publishId, position);
      return {
        afterCommit: () => {
          const held = this.#catalogue.channels.get(channel);
          held?.log?.push(entry);
          held?.tell((follower) => follower.appended(entry));
          return position;
        },
      };
    });
  }

  follow(channel: string, settings: ChannelSettings, follower: LogFollower): Promise<FollowedLog> {
    this.#sweepFor(settings);
    return this.#queue.run('other', channel, (draft) => {
      // Changes in this draft would be on the disk, and not in the log yet.
      if (draft.changed.has(channel)) return 'later';
      const found = draft.find(channel);
      if (found) {
        // Nobody waits for this to be written; should it not be, the next one who comes writes it.
        if (found.ttl !== settings.ttl || found.age !== limitsOf(settings).age) draft.use(channel, settings);
        return { now: this.#follow(channel, follower, (held) => this.#copyOf(held, limitsOf(settings))) };
      }
      const begin = draft.nothingYet(channel);
      draft.admit(channel);
      const join = (): FollowedLog =>
        this.#follow(channel, follower, (held) => emptyCopyOf(held, begin, limitsOf(settings)));
      if (!draft.changed.has(channel)) return { now: join() };
      return {
        afterCommit: (call) => {
          if (call.isOver || this.#closing) throw hubClosed();
          return join();
        },
      };
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
      const isCompleted = draft.find(channel)?.completed === true;
      if (isCompleted)
        return draft.changed.has(channel) ? { afterCommit: () => undefined } : { now: undefined };
      draft.complete(channel, settings);
      return {
        afterCommit: () => {
          const held = this.#catalogue.channels.get(channel);
          if (held?.log) held.log.completed = true;
          held?.tell((follower) => follower.completed());
        },
      };
    });
  }

  purge(channel: string): Promise<void> {
    return this.#queue.run('room', channel, (draft) => {
      if (!draft.find(channel)) return { now: undefined };
      draft.purge(channel);
      return { afterCommit: () => this.#catalogue.channels.get(channel)?.log?.purge() };
    });
  }

  /** Counts the channels on the disk, and those that are only followed. */
  stats(): BackplaneStats {
    return this.#catalogue.stats;
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
    let remembered = (): void => undefined;
    let leaves = false;
    await this.database.commit(() => {
      leaves = writeDraft(draft, this.database);
      writeWills(draft.wills, this.database);
      remembered = this.#publishIds.write(draft);
    });
    remembered();
    if (this.#closing) return;
    for (const [channel, { after, added }] of draft.changed)
      this.#catalogue.set(channel, after, added.length > 0 ? 'published' : 'other');
    if (leaves) this.#sweep.soon();
  }

  /** Brings the copies up to what was done to channels that had to make room for others, or have aged. */
  #ended(draft: Draft): void {
    for (const channel of draft.changed.keys()) {
      const { log, record } = this.#catalogue.channels.get(channel) ?? {};
      if (!log || !record || log.floor.offset >= record.floor.offset) continue;
      log.clear(record.floor);
      log.clearedAt = record.clearedAt;
    }
  }

  /** Takes in what is on the disk, at the start and when an older copy was put in its place. */
  #load(): void {
    const { channels, births, store } = this.database;
    this.#publishIds = new StoredPublishIds(this.database);
    this.#births = new LogBirths(
      store,
      births.getRange().map(({ key, value }) => ({ slot: key, number: value })),
    );
    for (const held of this.#catalogue.load(channels.getRange())) {
      const log = (held.log = this.#copyOf(held, (held.log as EventLog).limits));
      held.tell((follower) => follower.replaced(log));
    }
    this.database.takeAsItIs();
  }

  #follow(channel: string, follower: LogFollower, copy: (held: HeldChannel) => EventLog): FollowedLog {
    const held = this.#catalogue.follow(channel, follower, copy);
    const log = held.log as EventLog;
    log.expire(this.#clock.now());
    return { log, stop: () => this.#catalogue.leave(held, follower, this.#clock.now()) };
  }

  #copyOf(held: HeldChannel, limits: EventLog['limits']): EventLog {
    const { record } = held;
    if (!record) return emptyCopyOf(held, { offset: 0, mark: this.#births.markOf(held.name) }, limits);
    const log = emptyCopyOf(held, record.floor, limits);
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

const emptyCopyOf = (held: HeldChannel, begin: Position, limits: EventLog['limits']): EventLog =>
  new EventLog(begin, limits, () => held.tell((follower) => follower.leaving()));
