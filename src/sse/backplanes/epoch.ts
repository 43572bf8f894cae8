import { randomBytes } from 'node:crypto';

/** A name for a log that is made now. Short, and of letters and digits only: it goes into every id. 60 bits make a clash of two a fable. */
export function newEpoch(): string {
  return randomBytes(8).readBigUInt64BE().toString(36).slice(0, 12).padStart(12, '0');
}
