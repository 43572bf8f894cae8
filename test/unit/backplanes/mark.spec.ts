import { describe, expect, it } from '@jest/globals';
import { newMark } from '../../../src/sse/backplanes/common/mark.js';

/** More than one filling of the pool of random numbers. */
const COUNT = 100_000;
const marks = Array.from({ length: COUNT }, newMark);

describe('a mark', () => {
  it('is eight letters and digits, which an id can carry', () => {
    expect(marks.filter((mark) => !/^[0-9A-Za-z]{8}$/.test(mark))).toEqual([]);
  });

  it('is another each time', () => {
    expect(new Set(marks).size).toBe(COUNT);
  });

  it('favours no character in any of its places', () => {
    const expected = COUNT / 62;
    for (let place = 0; place < 8; place++) {
      const counts = new Map<string, number>();
      for (const mark of marks) counts.set(mark[place]!, (counts.get(mark[place]!) ?? 0) + 1);
      expect(counts.size).toBe(62);
      // Six standard deviations: chance does that once in a million runs.
      for (const count of counts.values())
        expect(Math.abs(count - expected)).toBeLessThan(6 * Math.sqrt(expected));
    }
  });
});
