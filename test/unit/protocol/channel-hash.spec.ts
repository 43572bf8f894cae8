import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { channelHash, channelNumber } from '../../../src/sse/protocol/position.js';
import { channelName } from '../texts.js';

describe('the hash of a channel', () => {
  it('is four letters and digits, and the same in every version', () => {
    fc.assert(
      fc.property(channelName, (name) => {
        expect(channelHash(name)).toMatch(/^[0-9A-Za-z]{4}$/);
      }),
    );
    // Clients bring ids that were made before the last deployment.
    expect(['news', 'orders/42', ''].map(channelHash)).toEqual(['19X5', 'RGmf', '5uwI']);
  });

  it('is spread: names that differ little have others', () => {
    const names = Array.from({ length: 10_000 }, (_, n) => `orders/${n}`);
    // Of 14.8 million hashes, 10,000 random ones have about three alike.
    expect(new Set(names.map(channelHash)).size).toBeGreaterThan(9_970);
    const slots = new Set(names.map((name) => channelNumber(name) % 4_096));
    // 10,000 random numbers leave 357 of 4,096 slots free.
    expect(slots.size).toBeGreaterThan(3_600);
  });

  it('has a number from 0 to 2³² - 1', () => {
    fc.assert(
      fc.property(channelName, (name) => {
        const number = channelNumber(name);
        expect(Number.isInteger(number) && number >= 0 && number < 2 ** 32).toBe(true);
      }),
    );
  });
});
