import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Expiries } from '../../../src/sse/access/expiries.js';

const HOUR = 3_600_000;
const YEAR = 365 * 24 * HOUR;

let expiries: Expiries;

beforeEach(() => {
  jest.useFakeTimers();
  expiries = new Expiries();
});

afterEach(() => void jest.useRealTimers());

const setWallClock = (milliseconds: number): unknown => jest.setSystemTime(Date.now() + milliseconds);

/** Something that expires in so many milliseconds. */
class Token {
  expiredAt: number | undefined;

  constructor(milliseconds: number) {
    expiries.add(this, Date.now() + milliseconds);
  }

  get hasExpired(): boolean {
    return this.expiredAt !== undefined;
  }

  expired(): void {
    expect(this.hasExpired).toBe(false);
    this.expiredAt = Date.now();
  }
}

describe('what expires', () => {
  it.each([0, 1, 300, 1_000, 1_001, HOUR])('does so at its very moment, in %i ms', (milliseconds) => {
    const at = Date.now() + Math.max(milliseconds, 1);
    const token = new Token(milliseconds);
    jest.advanceTimersByTime(milliseconds + 1);
    expect(token.expiredAt).toBe(at);
  });

  it('does so each at its own moment, in whatever order they were added', () => {
    const times = [7_000, 300, 90_000, 301, 2_500];
    const start = Date.now();
    const tokens = times.map((time) => new Token(time));
    jest.advanceTimersByTime(100_000);
    expect(tokens.map(({ expiredAt }) => expiredAt! - start)).toEqual(times);
  });

  it('does so within a second when the wall clock is set forward', () => {
    const [token, longer] = [new Token(HOUR), new Token(3 * HOUR)];
    jest.advanceTimersByTime(10_000);
    setWallClock(2 * HOUR);
    jest.advanceTimersByTime(1_000);
    expect([token.hasExpired, longer.hasExpired]).toEqual([true, false]);
  });

  it('does so later when the wall clock is set back', () => {
    const token = new Token(HOUR);
    setWallClock(-HOUR);
    jest.advanceTimersByTime(2 * HOUR - 1);
    expect(token.hasExpired).toBe(false);
    jest.advanceTimersByTime(1);
    expect(token.hasExpired).toBe(true);
  });

  it('may do so after a time for which no timer is long enough', () => {
    const token = new Token(YEAR);
    jest.advanceTimersByTime(HOUR);
    expect(token.hasExpired).toBe(false);
    setWallClock(YEAR);
    jest.advanceTimersByTime(1_000);
    expect(token.hasExpired).toBe(true);
  });
});

describe('the timer of what expires', () => {
  it('is one, and is not there while nothing expires', () => {
    expiries.add(new Token(Infinity), Infinity);
    expect(jest.getTimerCount()).toBe(0);
    const tokens = [new Token(500), new Token(1_000), new Token(HOUR)];
    expect(jest.getTimerCount()).toBe(1);
    jest.advanceTimersByTime(10_000);
    expect(jest.getTimerCount()).toBe(1);
    expiries.delete(tokens[2]!);
    expect(jest.getTimerCount()).toBe(0);
    jest.advanceTimersByTime(2 * HOUR);
    expect(tokens.map((token) => token.hasExpired)).toEqual([true, true, false]);
  });

  it('is gone when the last has expired', () => {
    const token = new Token(500);
    jest.advanceTimersByTime(500);
    expect([token.hasExpired, jest.getTimerCount()]).toEqual([true, 0]);
  });
});
