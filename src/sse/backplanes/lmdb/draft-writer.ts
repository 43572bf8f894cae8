import type { Database } from './database.js';
import type { Draft } from './draft.js';
import { entryRecord } from './records.js';

/** Entries that one transaction deletes at most; the others are left over, for later ones. */
const ERASE_AT_ONCE = 1_000;

/** Writes a draft, in a transaction. Answers whether there is something left over that is to be deleted. */
export function writeDraft(draft: Draft, database: Database): boolean {
  const { channels, entries, leftovers, births } = database;
  let room = ERASE_AT_ONCE;
  let leaves = false;

  const erase = (log: string, after: number, upTo: number): void => {
    if (upTo - after > room) {
      void leftovers.put(log, upTo);
      leaves = true;
    } else {
      room -= Math.max(0, upTo - after);
      for (let offset = after + 1; offset <= upTo; offset++) void entries.remove([log, offset]);
    }
  };

  if (draft.cleans) room -= eraseLeftovers(database, room);
  for (const [channel, { before, after, added }] of draft.changed) {
    if (before) {
      const upTo =
        before.log === after?.log ? Math.min(after.floor.offset, before.head.offset) : before.head.offset;
      erase(before.log, before.floor.offset, upTo);
    }
    if (after) {
      for (const entry of added) {
        if (entry.offset > after.floor.offset)
          void entries.put([after.log, entry.offset], entryRecord(entry));
      }
      void channels.put(channel, after);
    } else if (before) void channels.remove(channel);
  }
  for (const { slot, number } of draft.ended) void births.put(slot, number);
  return leaves;
}

/** Deletes some of the entries that are of no use, and answers how many. */
function eraseLeftovers({ entries, leftovers }: Database, limit: number): number {
  let erased = 0;
  for (const { key: log, value: upTo } of leftovers.getRange({ limit })) {
    const range = { start: [log, 0], end: [log, upTo], inclusiveEnd: true, limit: limit - erased };
    for (const key of entries.getKeys(range)) {
      void entries.remove(key);
      erased++;
    }
    if (erased >= limit) break;
    void leftovers.remove(log);
  }
  return erased;
}
