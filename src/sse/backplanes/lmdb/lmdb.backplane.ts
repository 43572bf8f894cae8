import {
  WINDOW,
  type BackplaneStats,
  type FollowedLog,
  type LogFollower,
  type LogRange,
  type SseBackplane,
} from '../../hub/backplane.js';
import { EventLog } from '../../hub/event-log.js';
import type { StoredEvent } from '../../hub/stored-event.js';
import type { Position } from '../../protocol/position.js';
import type { ChannelSettings } from '../../sse.settings.js';
import { Catalogue, sizeOf, type HeldChannel } from './catalogue.js';
import { closed, CommitQueue, type Transactions } from './commit-queue.js';
import type { Database } from './database.js';
import { writeDraft } from './draft-writer.js';
import { Draft, type LmdbLimits } from './draft.js';
import type { LmdbOptions } from './lmdb.options.js';
import { StoredPublishIds } from './stored-publish-ids.js';
import { Sweep } from './sweep.js';

/**
 * Logs in a directory of this machine, for one process at a time.
 *
 * What the channels have come to is in memory, their events are on the disk; of a channel that somebody
 * follows there is a copy in memory too.
 */
export class LmdbBackplane implements SseBackplane, Transactions {
  readonly #catalogue: Catalogue;
  readonly #publishIds: StoredPublishIds;
  readonly #queue: CommitQueue;
  readonly #sweep: Sweep;
  #closing: Promise<void> | undefined;

  constructor(
    private readonly database: Database,
    private readonly limits: LmdbLimits,
    settings: Required<LmdbOptions>,
  ) {
    this.#catalogue = new Catalogue(database.channels.getRange());
    this.#publishIds = new StoredPublishIds(database);
    this.#queue = new CommitQueue(this, settings);
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
      const { epoch, entry } = draft.append(channel, settings, event);
      const position = { epoch, offset: entry.offset };
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
      if (draft.changed.has(channel)) return 'later';
      const found = draft.find(channel);
      if (found) {
        // Nobody waits for this to be written; should it not be, the next one who comes writes it.
        if (found.ttl !== settings.ttl || found.age !== limitsOf(settings).age) draft.use(channel, settings);
        return { now: this.#follow(channel, follower, (held) => this.#copyOf(held, settings)) };
      }
      draft.use(channel, settings);
      return {
        afterCommit: (call) => {
          if (call.isOver || this.#closing) throw closed();
          // What comes after it in this draft is on the disk, and not in the log yet.
          return this.#follow(
            channel,
            follower,
            ({ record }) => new EventLog(record.epoch, limitsOf(settings)),
          );
        },
      };
    });
  }

  read(
    channel: string,
    range: { readonly after?: number; readonly limit: number },
  ): Promise<LogRange | undefined> {
    return this.#queue.run('other', channel, (draft) => {
      if (draft.changed.has(channel)) return 'later';
      const record = draft.find(channel);
      if (!record) return { now: undefined };
      const { epoch, head, age } = record;
      let { floor } = record;
      const after = range.after ?? Math.max(floor, head - range.limit);
      const entries = [];
      for (const entry of this.database.range(epoch, Math.max(after, floor), head)) {
        if (entry.at <= draft.now - age) floor = entry.offset;
        else if (entries.push(entry) >= range.limit) break;
      }
      return { now: { epoch, floor, head, entries } };
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
    return this.#queue.run('other', channel, (draft) => {
      if (!draft.find(channel)) return { now: undefined };
      draft.empty(channel);
      return {
        afterCommit: () => {
          const held = this.#catalogue.channels.get(channel);
          held?.tell((follower) => follower.emptying());
          held?.log?.clear();
        },
      };
    });
  }

  /** What is on the disk. */
  stats(): BackplaneStats {
    return this.#catalogue.stats;
  }

  close(): Promise<void> {
    return (this.#closing ??= this.#close());
  }

  async #close(): Promise<void> {
    this.#sweep.stop();
    this.#catalogue.clear();
    // A transaction that has no end keeps the database, and the directory, for as long as the process lives.
    if (await this.#queue.close()) await this.database.close();
  }

  begin(): Draft {
    return new Draft(this.#catalogue, this.database, this.limits);
  }

  async commit(draft: Draft): Promise<void> {
    let remembered = (): void => undefined;
    await this.database.commit(() => {
      writeDraft(draft, this.database);
      remembered = this.#publishIds.write(draft);
    });
    remembered();
    if (this.#closing) return;
    for (const [channel, { after, added }] of draft.changed)
      this.#catalogue.set(channel, after, added.length > 0);
  }

  /** Brings the copies up to what was done to channels that had to make room for others, or have aged. */
  ended(draft: Draft): void {
    for (const channel of draft.changed.keys()) {
      const held = this.#catalogue.channels.get(channel);
      if (!held?.log || held.log.floor >= held.record.floor) continue;
      if (sizeOf(held.record) === 0) held.log.clear();
      else held.log.shrink(held.record.bytes);
      held.log.clearedAt = held.record.clearedAt;
    }
  }

  #follow(channel: string, follower: LogFollower, open: (held: HeldChannel) => EventLog): FollowedLog {
    const held = this.#catalogue.channels.get(channel) as HeldChannel;
    const log = (held.log ??= open(held));
    log.expire(Date.now());
    held.follow(follower);
    return { log, stop: () => held.leave(follower) };
  }

  #copyOf({ record }: HeldChannel, settings: ChannelSettings): EventLog {
    const { epoch, floor, head, clearedAt, completed } = record;
    const log = new EventLog(epoch, limitsOf(settings));
    log.clear(floor);
    for (const entry of this.database.range(epoch, floor, head)) log.push(entry);
    log.head = head;
    log.clearedAt = clearedAt;
    log.completed = completed;
    return log;
  }

  #sweepFor(settings: ChannelSettings): void {
    this.#sweep.within(Math.min(settings.ttl, limitsOf(settings).age));
  }
}

const limitsOf = (settings: ChannelSettings) => settings.history ?? WINDOW;
