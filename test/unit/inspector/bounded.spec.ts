import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Bounded } from '../../../src/sse/inspector/bounded.js';

const AGE = 1_000;

interface Item {
  readonly at: number;
  readonly n: number;
  readonly bytes: number;
}

const make = (bytes: number): Bounded<Item> => new Bounded({ bytes, age: AGE }, (item) => item.bytes);

const item = (n: number, bytes = 10): Item => ({ at: Date.now(), n, bytes });

const numbers = (bounded: Bounded<Item>): number[] => [...bounded].map(({ n }) => n);

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

describe('Bounded', () => {
  it('has as many as its bytes allow, the newest first', () => {
    const bounded = make(30);
    for (let n = 1; n <= 50; n++) {
      bounded.add(item(n));
      expect(numbers(bounded)).toEqual([n, n - 1, n - 2].filter((one) => one > 0));
    }
  });

  it('has nothing that is larger than all it may have, and goes on', () => {
    const bounded = make(30);
    bounded.add(item(1));
    bounded.add(item(2, 31));
    expect(numbers(bounded)).toEqual([]);
    for (let n = 3; n <= 6; n++) bounded.add(item(n));
    expect(numbers(bounded)).toEqual([6, 5, 4]);
  });

  it('has nothing that is older than its age, also where nothing comes', () => {
    const bounded = make(30);
    for (let n = 1; n <= 3; n++) bounded.add(item(n));
    jest.advanceTimersByTime(AGE);
    expect(numbers(bounded)).toEqual([3, 2, 1]);
    jest.advanceTimersByTime(1);
    expect(numbers(bounded)).toEqual([]);
    for (let n = 4; n <= 6; n++) bounded.add(item(n));
    expect(numbers(bounded)).toEqual([6, 5, 4]);
  });

  it('drops by age as it adds', () => {
    const bounded = make(30);
    bounded.add(item(1, 30));
    const clock = Date.now();
    jest.advanceTimersByTime(AGE + 1);
    bounded.add(item(2));
    // With the clock of before, the first would be shown again if it were still there.
    jest.setSystemTime(clock);
    expect(numbers(bounded)).toEqual([2]);
  });
});
