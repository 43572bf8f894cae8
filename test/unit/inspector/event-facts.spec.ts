import { describe, expect, it } from '@jest/globals';
import { referenceOf } from '../../../src/sse/inspector/explain/event-facts.js';

const at = (offset: number, mark?: string) => ({ offset, mark });

describe('referenceOf()', () => {
  it.each([
    ['latest', { channel: undefined, hash: undefined, place: 'latest' }],
    ['12', { channel: undefined, hash: undefined, place: at(12) }],
    ['999999999999999', { channel: undefined, hash: undefined, place: at(999_999_999_999_999) }],
    ['12.markHASH', { channel: undefined, hash: 'HASH', place: at(12, 'mark') }],
    ['a%2Fb=12.markHASH', { channel: 'a/b', hash: 'HASH', place: at(12, 'mark') }],
    ['a=12.markHASH&b=*', { channel: 'a', hash: 'HASH', place: at(12, 'mark') }],
  ])('reads %s', (text, reference) => {
    expect(referenceOf(text, undefined)).toEqual(reference);
  });

  it('takes the position in the channel that is asked about', () => {
    const text = 'a=1.oneHASH&b=2.twoHASH';
    expect(referenceOf(text, 'b')).toEqual({ channel: 'b', hash: 'HASH', place: at(2, 'two') });
    expect(referenceOf(text, undefined)).toBeUndefined();
    expect(referenceOf(text, 'c')).toBeUndefined();
    for (const [given, place] of [
      ['latest', 'latest'],
      ['1', at(1)],
      ['1.markHASH', at(1, 'mark')],
    ] as const)
      expect(referenceOf(given, 'a')).toMatchObject({ channel: 'a', place });
  });

  it.each(['', 'x', '-1', '1x', 'x1', '1000000000000000', 'latest!', 'a=x'])(
    'reads nothing in "%s"',
    (text) => {
      expect(referenceOf(text, undefined)).toBeUndefined();
    },
  );
});
