import type { Database } from './database.js';
import type { Draft } from './draft.js';
import { entryRecord } from './records.js';

/** Entries that one transaction deletes at most; the others are left over, for later ones. */
const ERASE_AT_ONCE = 1_000;

/** Writes a draft, in a transaction. */
export function writeDraft(draft: Draft, database: Database): void {
  const { channels, entries, leftovers } = database;
  let room = ERASE_AT_ONCE;

  const erase = (epoch: string, after: number, upTo: number): void => {
    if (upTo - after > room) void leftovers.put(epoch, upTo);
    else {
      room -= Math.max(0, upTo - after);
      for (let offset = after + 1; offset <= upTo; offset++) void entries.remove([epoch, offset]);
    }
  };

  if (draft.cleans) room -= eraseLeftovers(database, room);
  for (const [channel, { before, after, added }] of draft.changed) {
    if (before && before.epoch !== after?.epoch) erase(before.epoch, before.floor, before.head);
    else if (before && after) erase(before.epoch, before.floor, Math.min(after.floor, before.head));
    if (after) {
      for (const entry of added) {
        if (entry.offset > after.floor) void entries.put([after.epoch, entry.offset], entryRecord(entry));
      }
      void channels.put(channel, after);
    } else if (before) void channels.remove(channel);
  }
}

/** Deletes some of the entries that are of no use, and answers how many. */
function eraseLeftovers({ entries, leftovers }: Database, limit: number): number {
  let erased = 0;
  for (const { key: epoch, value: upTo } of leftovers.getRange({ limit })) {
    const range = { start: [epoch, 0], end: [epoch, upTo], inclusiveEnd: true, limit: limit - erased };
    for (const key of entries.getKeys(range)) {
      void entries.remove(key);
      erased++;
    }
    if (erased >= limit) break;
    void leftovers.remove(epoch);
  }
  return erased;
}
