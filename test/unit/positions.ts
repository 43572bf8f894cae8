import fc from 'fast-check';
import type { Position } from '../../src/sse/protocol/position.js';

const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

export const anyMark: fc.Arbitrary<string> = fc.string({
  unit: fc.constantFrom(...Array.from(DIGITS)),
  minLength: 1,
  maxLength: 28,
});

export const anyPosition: fc.Arbitrary<Position> = fc.record({
  offset: fc.oneof(fc.nat({ max: 3 }), fc.nat({ max: Number.MAX_SAFE_INTEGER })),
  mark: anyMark,
});

/** The longest position there is. */
export const LONGEST: Position = { offset: Number.MAX_SAFE_INTEGER, mark: 'm'.repeat(28) };
