import { describe, expect, it } from '@jest/globals';
import { entryOf, entryRecord } from '../../../src/sse/backplanes/lmdb/records.js';
import { entryAt, stored } from '../stored-events.js';

const event = stored({ type: 'x', data: { a: 1 } });
const plain = ['m7', 'm6', 0, event.bytes, true, '{"a":1}', 'x', null, null, null] as const;
const trace = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
const also = [{ channel: 'a', offset: 7, mark: 'abcdefgh' }];

describe('the record of an event in LMDB', () => {
  it('is the one of earlier versions where nothing travels with it', () => {
    const entry = entryAt(7, event);
    expect(entryRecord(entry)).toEqual(plain);
    expect(entryOf(7, plain)).toStrictEqual(entry);
  });

  it.each([
    [{ trace }, [trace, null]],
    [{ also }, [null, also]],
    [{ trace, also }, [trace, also]],
  ] as const)('has what travels with it at its end, where earlier versions do not look: %j', (what, end) => {
    const entry = entryAt(7, { ...event, ...what });
    const record = entryRecord(entry);
    expect(record).toEqual([...plain, ...end]);
    expect(entryOf(7, record)).toStrictEqual(entry);
  });
});
