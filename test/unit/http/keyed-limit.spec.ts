import { describe, expect, it } from '@jest/globals';
import { KeyedLimit } from '../../../src/sse/http/limits.js';

describe('KeyedLimit', () => {
  it('is reached of a key at the limit, and of that key only', () => {
    const limit = new KeyedLimit(2);
    limit.add('a');
    expect(limit.isReached('a')).toBe(false);
    limit.add('a');
    expect([limit.isReached('a'), limit.isReached('b')]).toEqual([true, false]);
    limit.remove('a');
    expect(limit.isReached('a')).toBe(false);
  });

  it('forgets a key of which there is nothing left', () => {
    const limit = new KeyedLimit(2);
    for (let i = 0; i < 100; i++) limit.add(`key ${i % 50}`);
    expect(limit.size).toBe(50);
    for (let i = 0; i < 100; i++) limit.remove(`key ${i % 50}`);
    expect(limit.size).toBe(0);
  });
});
