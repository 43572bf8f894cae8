import { PUBLISH_ID_MEMORY } from '../../log/backplane.js';
import { MAX_PUBLISH_IDS } from '../common/publish-ids.js';
import type { Database } from './database.js';
import type { Draft } from './draft.js';
import { entryRecord } from './records.js';

/** The most records of entries, and of publish ids, that one transaction deletes. */
const ERASE_AT_ONCE = 1_000;

/** Writes a draft, in a transaction. Answers whether it left entries over, for a later one to delete. */
export function writeDraft(draft: Draft, database: Database): boolean {
  const { channels, entries, leftovers, births, wills } = database.tables;
  let room = ERASE_AT_ONCE;
  let leaves = false;
  if (draft.cleans) room -= eraseLeftovers(database, room);
  for (const [channel, { before, after, added }] of draft.changed) {
    if (before) {
      const { log, floor, head } = before;
      const upTo = log === after?.log ? Math.min(after.floor.offset, head.offset) : head.offset;
      if (upTo - floor.offset > room) {
        void leftovers.put(log, upTo);
        leaves = true;
      } else {
        room -= upTo - floor.offset;
        for (let offset = floor.offset + 1; offset <= upTo; offset++) void entries.remove([log, offset]);
      }
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
  for (const [instance, id, text] of draft.wills) {
    if (text === undefined) void wills.remove([instance, id]);
    else void wills.put([instance, id], text);
  }
  writePublishIds(draft, database);
  return leaves;
}

/** Deletes some of the entries that were left over, and answers how many. */
function eraseLeftovers({ tables: { entries, leftovers } }: Database, limit: number): number {
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

/** Writes the new publish ids, and deletes some of the old ones. */
function writePublishIds({ published, now }: Draft, { tables: { publishIds } }: Database): void {
  let [newest = 0] = publishIds.getKeys({ reverse: true, limit: 1 });
  for (const record of published.values()) void publishIds.put(++newest, record);
  for (const { key, value } of publishIds.getRange({ limit: ERASE_AT_ONCE })) {
    const [, , , , at] = value;
    if (key > newest - MAX_PUBLISH_IDS && now - at < PUBLISH_ID_MEMORY) break;
    void publishIds.remove(key);
  }
}
