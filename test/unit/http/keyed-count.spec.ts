import { describe, expect, it } from '@jest/globals';
import { KeyedCount } from '../../../src/sse/http/keyed-count.js';

describe('KeyedCount', () => {
  it('is full of a key at the limit, and of that key only', () => {
    const count = new KeyedCount(2);
    count.add('a');
    expect(count.isFull('a')).toBe(false);
    count.add('a');
    expect([count.isFull('a'), count.isFull('b')]).toEqual([true, false]);
    count.remove('a');
    expect(count.isFull('a')).toBe(false);
  });

  it('forgets a key of which there is nothing left', () => {
    const count = new KeyedCount(2);
    for (let i = 0; i < 100; i++) count.add(`key ${i % 50}`);
    expect(count.size).toBe(50);
    for (let i = 0; i < 100; i++) count.remove(`key ${i % 50}`);
    expect(count.size).toBe(0);
  });
});
