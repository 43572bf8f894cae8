import { describe, expect, it } from '@jest/globals';
import { absentPosition, ageOf } from '../../../src/sse/backplanes/redis/redis.answers.js';
import { channelHash, formatId, parseLastEventId } from '../../../src/sse/protocol/position.js';

const STORE = 'aB3dE6gH';
const AT = 1_796_000_000_000;
const TTL = 600_000;

describe('nothing yet in Redis', () => {
  const position = absentPosition(STORE, AT);

  it.each([
    ['at once', AT, 0],
    ['shortly before half of the ttl is over', AT + TTL / 2 - 1, TTL / 2 - 1],
    ['when half of the ttl is over', AT + TTL / 2, undefined],
    ['when the time has gone back', AT - 1, undefined],
  ])('is valid or not, %s', (_what, until, age) => {
    expect(ageOf(position, STORE, until, TTL)).toBe(age);
  });

  it('is valid for ever where channels are kept for ever', () => {
    expect(ageOf(position, STORE, AT + 1e9, Infinity)).toBe(1e9);
  });

  it('is of one store', () => {
    expect(ageOf(position, 'aB3dE6gI', AT, TTL)).toBeUndefined();
  });

  it('is no birth of a log, nor an event, nor what others make up', () => {
    for (const other of [
      { offset: 0, mark: STORE },
      { offset: 1, mark: position.mark },
      { offset: 0, mark: 'x'.repeat(28) },
    ])
      expect(ageOf(other, STORE, AT, TTL)).toBeUndefined();
  });

  it('can be sent as an id', () => {
    expect(parseLastEventId(formatId(position, channelHash('a')))).toMatchObject({ position });
  });
});
