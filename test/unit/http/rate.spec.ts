import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { TokenBucket } from '../../../src/sse/http/rate.js';

/** How many of so many attempts get a token. */
const taken = (bucket: TokenBucket, attempts: number): number =>
  Array.from({ length: attempts }, () => bucket.take()).filter(Boolean).length;

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

describe('TokenBucket', () => {
  it('lets as many through at once as in a second, and then no more', () => {
    expect(taken(new TokenBucket(5), 20)).toBe(5);
  });

  it('gives tokens back evenly', () => {
    const bucket = new TokenBucket(4);
    taken(bucket, 4);
    jest.advanceTimersByTime(249);
    expect(bucket.take()).toBe(false);
    jest.advanceTimersByTime(1);
    expect([bucket.take(), bucket.take()]).toEqual([true, false]);
    jest.advanceTimersByTime(500);
    expect(taken(bucket, 20)).toBe(2);
  });

  it('keeps no more than a second is worth, however long nobody comes', () => {
    const bucket = new TokenBucket(3);
    jest.advanceTimersByTime(3_600_000);
    expect(taken(bucket, 20)).toBe(3);
  });

  it('is not kept empty by those who come too often', () => {
    const bucket = new TokenBucket(1);
    let count = 0;
    for (let i = 0; i < 100; i++, jest.advanceTimersByTime(50)) count += taken(bucket, 3);
    expect(count).toBe(5);
  });

  it('has no end where there is no limit', () => {
    const bucket = new TokenBucket(Infinity);
    expect(taken(bucket, 100)).toBe(100);
  });

  it('has a burst of its own, takes several or none, and says when they are back', () => {
    const bucket = new TokenBucket(2, 6);
    expect([bucket.take(5), bucket.take(2)]).toEqual([true, false]);
    expect(bucket.wait(2)).toBe(500);
    jest.advanceTimersByTime(500);
    expect(bucket.take(2)).toBe(true);
    jest.advanceTimersByTime(3_600_000);
    expect([bucket.take(6), bucket.wait(6)]).toEqual([true, 3_000]);
  });
});
