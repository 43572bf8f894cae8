import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Clock } from '../../../src/sse/backplanes/common/clock.js';

const HOUR = 3_600_000;

const setWallClock = (milliseconds: number): unknown => jest.setSystemTime(Date.now() + milliseconds);

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

describe('Clock', () => {
  it('is the wall clock, as long as nobody sets that', () => {
    const clock = new Clock();
    for (let i = 0; i < 10; i++) {
      expect(clock.now()).toBe(Date.now());
      jest.advanceTimersByTime(7_777);
    }
  });

  it('says the same millisecond as the wall clock, whatever fractions the numbers of the process have', () => {
    const clock = new Clock();
    const start = performance.now();
    const elapsed = jest.spyOn(performance, 'now');
    const wall = Date.now();
    for (let passed = 0; passed < 2_000; passed += 0.25) {
      elapsed.mockReturnValue(start + passed);
      jest.setSystemTime(wall + Math.floor(passed));
      expect(clock.now()).toBe(Date.now());
    }
    elapsed.mockRestore();
  });

  it('goes on from where it was when the wall clock is set back', () => {
    const clock = new Clock();
    const before = clock.now();
    setWallClock(-HOUR);
    expect(clock.now()).toBe(before);
    jest.advanceTimersByTime(10_000);
    expect(clock.now()).toBe(before + 10_000);
    setWallClock(HOUR); // to what it was: nothing expires by that
    expect(clock.now()).toBe(before + 10_000);
  });

  it('is never behind the wall clock: the machine may have slept', () => {
    const clock = new Clock();
    const before = clock.now();
    setWallClock(HOUR);
    expect(clock.now()).toBe(before + HOUR);
    jest.advanceTimersByTime(10_000);
    expect(clock.now()).toBe(before + HOUR + 10_000);
  });

  it('begins with the newest time that was stored, if the wall clock has been set back since', () => {
    const stored = Date.now() + HOUR;
    const clock = new Clock(stored);
    jest.advanceTimersByTime(10_000);
    expect(clock.now()).toBe(stored + 10_000);
    expect(new Clock(Date.now() - HOUR).now()).toBe(Date.now());
  });

  it('gives whole milliseconds that never go back, also between the milliseconds of the wall clock', () => {
    jest.useRealTimers();
    const clock = new Clock();
    const times = Array.from({ length: 20_000 }, () => clock.now());
    expect(times.every(Number.isInteger)).toBe(true);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    const wall = Date.now();
    expect(clock.now()).toBeGreaterThanOrEqual(wall);
  });
});
