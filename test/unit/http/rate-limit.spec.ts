import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { RateLimit } from '../../../src/sse/http/limits.js';

/** How many of so many attempts get a token. */
const taken = (limit: RateLimit, attempts: number): number =>
  Array.from({ length: attempts }, () => limit.take()).filter(Boolean).length;

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

describe('RateLimit', () => {
  it('lets as many through at once as in a second, and then no more', () => {
    expect(taken(new RateLimit(5), 20)).toBe(5);
  });

  it('gives tokens back evenly', () => {
    const limit = new RateLimit(4);
    taken(limit, 4);
    jest.advanceTimersByTime(249);
    expect(limit.take()).toBe(false);
    jest.advanceTimersByTime(1);
    expect([limit.take(), limit.take()]).toEqual([true, false]);
    jest.advanceTimersByTime(500);
    expect(taken(limit, 20)).toBe(2);
  });

  it('keeps no more than a second is worth, however long nobody comes', () => {
    const limit = new RateLimit(3);
    jest.advanceTimersByTime(3_600_000);
    expect(taken(limit, 20)).toBe(3);
  });

  it('is not kept empty by those who come too often', () => {
    const limit = new RateLimit(1);
    let count = 0;
    for (let i = 0; i < 100; i++, jest.advanceTimersByTime(50)) count += taken(limit, 3);
    expect(count).toBe(5);
  });

  it('has no end where there is no limit', () => {
    const limit = new RateLimit(Infinity);
    expect(taken(limit, 100)).toBe(100);
  });

  it('has a burst of its own, takes several or none, and says when they are back', () => {
    const limit = new RateLimit(2, 6);
    expect([limit.take(5), limit.take(2)]).toEqual([true, false]);
    expect(limit.wait(2)).toBe(500);
    jest.advanceTimersByTime(500);
    expect(limit.take(2)).toBe(true);
    jest.advanceTimersByTime(3_600_000);
    expect([limit.take(6), limit.wait(6)]).toEqual([true, 3_000]);
  });
});
