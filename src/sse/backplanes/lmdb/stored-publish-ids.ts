import { PUBLISH_ID_MEMORY } from '../../log/backplane.js';
import type { Position } from '../../protocol/position.js';
import type { Database } from './database.js';
import type { Draft } from './draft.js';
import type { PublishIdRecord } from './records.js';

/** Ids that are remembered; beyond, the oldest goes before its time. */
const MAX_IDS = 100_000;
/** Records that one transaction deletes. */
const FORGET_STEP = 1_000;

interface Known {
  readonly number: number;
  readonly at: number;
  readonly position: Position;
}

/** The positions that were published lately under a publish id, in memory as they are on the disk. */
export class StoredPublishIds {
  /** By channel and id, the oldest first. */
  readonly #known = new Map<string, Known>();
  /** The numbers of all records on the disk lie between these. */
  #first = 1;
  #next = 1;

  constructor(private readonly database: Database) {
    let isFirst = true;
    for (const { key, value } of database.publishIds.getRange()) {
      if (isFirst) this.#first = key;
      isFirst = false;
      this.#know(key, value);
    }
  }

  find(channel: string, publishId: string, now: number): Position | undefined {
    const known = this.#known.get(keyOf(channel, publishId));
    return known && now - known.at < PUBLISH_ID_MEMORY ? known.position : undefined;
  }

  /** Writes what is new in a transaction, and deletes some of what is old. Returns what to do when it is committed. */
  write({ published, now }: Draft): () => void {
    const added: PublishIdRecord[] = [];
    for (const [channel, ids] of published) {
      for (const [id, { offset, mark }] of ids) added.push([channel, id, offset, mark, now]);
    }
    this.#forget(now);
    const oldest = this.#known.values().next().value?.number ?? this.#next;
    const first = Math.min(oldest, this.#first + FORGET_STEP);
    for (let number = this.#first; number < first; number++) void this.database.publishIds.remove(number);
    added.forEach((record, i) => void this.database.publishIds.put(this.#next + i, record));
    return () => {
      this.#first = first;
      for (const record of added) this.#know(this.#next, record);
    };
  }

  #know(number: number, [channel, publishId, offset, mark, at]: PublishIdRecord): void {
    const key = keyOf(channel, publishId);
    this.#known.delete(key); // so that it is the newest
    this.#known.set(key, { number, at, position: { offset, mark } });
    this.#next = number + 1;
  }

  #forget(now: number): void {
    for (const [key, { at }] of this.#known) {
      if (this.#known.size <= MAX_IDS && now - at < PUBLISH_ID_MEMORY) return;
      this.#known.delete(key);
    }
  }
}

/** Neither a channel's name nor a publish id has control characters. */
const keyOf = (channel: string, publishId: string): string => `${channel}\n${publishId}`;
