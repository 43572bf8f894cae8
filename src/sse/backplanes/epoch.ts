import { randomFillSync } from 'node:crypto';

/** Random bytes for some epochs to come: to get any from the system costs as much as the rest of a publish. */
const pool = Buffer.alloc(4096);
let used = pool.length;

/** A name for a log that is made now. Short, and of letters and digits only: it goes into every id. 60 bits make a clash of two a fable. */
export function newEpoch(): string {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  const bits = pool.readBigUInt64BE(used);
  used += 8;
  return bits.toString(36).slice(0, 12).padStart(12, '0');
}
