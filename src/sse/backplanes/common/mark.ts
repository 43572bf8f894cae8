import { randomFillSync } from 'node:crypto';

const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
/** All pairs of digits: a mark is made of four. */
const PAIRS = Array.from(DIGITS, (one) => Array.from(DIGITS, (other) => one + other)).flat();
/** Random numbers from here on would favour the first pairs. */
const FAIR = 65_536 - (65_536 % PAIRS.length);

const pool = new Uint16Array(2_048);
let next = pool.length;

function pair(): string {
  for (;;) {
    if (next === pool.length) {
      randomFillSync(pool);
      next = 0;
    }
    const number = pool[next++] as number;
    if (number < FAIR) return PAIRS[number % PAIRS.length] as string;
  }
}

/**
 * A mark: eight random characters, 47 bits, so that two events with the same offset differ.
 *
 * It is made anew for each attempt to store an event, and never derived from anything: a store that came back
 * older uses an offset a second time, and then the mark must be another.
 */
export const newMark = (): string => pair() + pair() + pair() + pair();
