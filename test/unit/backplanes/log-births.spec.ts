import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { LogBirths } from '../../../src/sse/backplanes/common/log-births.js';
import { newMark } from '../../../src/sse/backplanes/common/mark.js';
import { channelNumber } from '../../../src/sse/protocol/position.js';
import { channelName } from '../texts.js';

const NAMES = Array.from({ length: 20_000 }, (_, n) => `room/${n}`);
/** Two channels that share a slot of the table. */
const [ONE, OTHER] = sharing();

function sharing(): [string, string] {
  const bySlot = new Map<number, string>();
  for (const name of NAMES) {
    const slot = channelNumber(name) % 4_096;
    const other = bySlot.get(slot);
    if (other !== undefined) return [other, name];
    bySlot.set(slot, name);
  }
  throw new Error('No two share one.');
}

describe('the birth mark of the log that a channel would get', () => {
  it('can be sent as part of an id', () => {
    fc.assert(
      fc.property(channelName, fc.nat({ max: 5 }), (name, times) => {
        const births = new LogBirths(newMark());
        for (let n = 0; n < times; n++) births.ended(name);
        expect(births.markOf(name)).toMatch(/^[0-9A-Za-z]{1,28}$/);
      }),
    );
  });

  it('stays the same however often it is asked for', () => {
    const births = new LogBirths(newMark());
    const marks = NAMES.map((name) => births.markOf(name));
    expect(NAMES.map((name) => births.markOf(name))).toEqual(marks);
  });

  it('is another one after each log of the channel that has come and gone', () => {
    const births = new LogBirths(newMark());
    const marks = Array.from({ length: 50 }, () => (births.ended(ONE), births.markOf(ONE)));
    expect(new Set(marks).size).toBe(50);
  });

  it('is another one also after a log of a channel in the same slot, and of no other', () => {
    const births = new LogBirths(newMark());
    const before = births.markOf(ONE);
    const elsewhere = NAMES.find((name) => channelNumber(name) % 4_096 !== channelNumber(ONE) % 4_096)!;
    births.ended(elsewhere);
    expect(births.markOf(ONE)).toBe(before);
    births.ended(OTHER);
    expect(births.markOf(ONE) === before).toBe(false);
  });

  it('is another one in another store', () => {
    const [one, other] = [new LogBirths(newMark()), new LogBirths(newMark())];
    expect(one.markOf(ONE) === other.markOf(ONE)).toBe(false);
  });

  it('does not return when a store comes back older, and other logs come and go in it', () => {
    const store = newMark();
    const seen = Array.from({ length: 50 }, () => {
      const births = new LogBirths(store);
      births.ended(ONE);
      return births.markOf(ONE);
    });
    expect(new Set(seen).size).toBe(50);
  });
});
