import { randomFillSync } from 'node:crypto';

const DIGITS = Buffer.from('0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz');
/** Random bytes from here on would favour the first digits. */
const FAIR = 256 - (256 % DIGITS.length);
const LENGTH = 8;

const pool = Buffer.allocUnsafe(4_096);
/** Random digits, of which marks are cut off. */
let digits = '';
let next = 0;

function refill(): void {
  let length = 0;
  for (const byte of randomFillSync(pool))
    if (byte < FAIR) pool[length++] = DIGITS[byte % DIGITS.length] as number;
  digits = pool.toString('latin1', 0, length);
  next = 0;
}

/**
 * A mark: eight random characters, 47 bits, so that two events with the same offset differ.
 *
 * It is made anew for each attempt to store an event, and never derived from anything: a store that came back
 * older uses an offset a second time, and then the mark must be another.
 */
export function newMark(): string {
  if (next + LENGTH > digits.length) refill();
  return digits.slice(next, (next += LENGTH));
}
