import type { ReadableLog } from '../../log/backplane.js';
import type { LogEntry } from '../../log/event-log.js';
import type { Position } from '../../protocol/position.js';
import type { Database } from './database.js';
import { sizeOf, type ChannelRecord } from './records.js';

/** A log on the disk: an entry is read when it is asked for. */
export class StoredLog implements ReadableLog {
  readonly head: Position;
  floor: Position;

  /** @param now entries that are too old by then are left out; the next sweep deletes them */
  constructor(
    private readonly database: Database,
    private readonly record: Readonly<ChannelRecord>,
    now: number,
  ) {
    this.head = record.head;
    this.floor = record.floor;
    if (record.age === Infinity) return;
    for (let oldest = this.at(0); oldest && oldest.at <= now - record.age; oldest = this.at(0))
      this.floor = { offset: oldest.offset, mark: oldest.mark };
  }

  get size(): number {
    return sizeOf(this);
  }

  at(index: number): LogEntry | undefined {
    const isThere = index >= 0 && index < this.size;
    return isThere ? this.database.entry(this.record.log, this.floor.offset + 1 + index) : undefined;
  }

  indexAfter(offset: number): number {
    return Math.min(Math.max(offset - this.floor.offset, 0), this.size);
  }

  missing({ offset, mark }: Position): 'evicted' | 'unknown' | undefined {
    const held = offset === this.floor.offset ? this.floor : this.at(offset - this.floor.offset - 1);
    if (held?.mark === mark) return undefined;
    return offset < this.floor.offset ? 'evicted' : 'unknown';
  }
}
