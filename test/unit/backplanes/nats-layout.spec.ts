import { describe, expect, it } from '@jest/globals';
import { decodeRecord, encodeRecord, type HeadRecord } from '../../../src/sse/backplanes/nats/layout.js';

const head = { offset: 7, mark: 'Infinity' };
const end = { offset: 9, mark: 'abcdefgh' };

describe('a record of a channel in NATS', () => {
  it.each<HeadRecord>([
    { kind: 'active' },
    { kind: 'active', after: end },
    { kind: 'quiet', head },
    { kind: 'completed', head, end, until: 1_000 },
    { kind: 'completed', head, end, until: Infinity },
  ])('is read as it was written: %j', (record) => {
    expect(decodeRecord(encodeRecord(record))).toEqual(record);
  });

  it.each([
    'nonsense',
    'null',
    '{"kind":"other"}',
    '{"kind":"active","after":1}',
    '{"kind":"quiet"}',
    '{"kind":"completed","head":{"offset":7,"mark":"a"},"end":{"offset":9,"mark":"b"},"until":"soon"}',
  ])('is none where somebody else wrote it: %s', (text) => {
    expect(decodeRecord(text)).toBeUndefined();
  });
});
