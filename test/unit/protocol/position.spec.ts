import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  encodedLength,
  formatNamed,
  formatPosition,
  hasSeen,
  MAX_ID_BYTES,
  parseLastEventId,
  parsePosition,
  type Position,
} from '../../../src/sse/protocol/position.js';
import { anyText, channelName } from '../texts.js';

const letters = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

const anyPosition: fc.Arbitrary<Position> = fc.record({
  epoch: fc.string({ unit: fc.constantFrom(...Array.from(letters)), minLength: 1, maxLength: 16 }),
  offset: fc.nat({ max: Number.MAX_SAFE_INTEGER }),
});

const namedPositions: fc.Arbitrary<Map<string, Position>> = fc
  .uniqueArray(fc.tuple(channelName, anyPosition), { minLength: 1, maxLength: 8, selector: ([name]) => name })
  .map((entries) => new Map(entries))
  .filter((positions) => format(positions).length <= MAX_ID_BYTES);

const format = (positions: ReadonlyMap<string, Position>): string =>
  [...positions].map(([name, position]) => formatNamed(name, position)).join('&');

/** What a client may send: ids of ours, damaged ones, and anything else. */
const hostileId = fc.oneof(
  anyText,
  fc.string({ unit: 'binary' }),
  fc.tuple(namedPositions.map(format), fc.nat(), anyText).map(([id, place, text]) => {
    const at = place % (id.length + 1);
    return id.slice(0, at) + text + id.slice(at);
  }),
  fc.string({ unit: fc.constantFrom('a', '-', '1', '=', '&', '%', '2', 'F', 'ü'), maxLength: 40 }),
);

describe('a position', () => {
  it('is the same after it was written and read', () => {
    fc.assert(
      fc.property(anyPosition, (position) =>
        expect(parsePosition(formatPosition(position))).toEqual(position),
      ),
    );
  });

  it.each([
    ...[
      '',
      '-',
      'a',
      '1',
      'a-',
      '-1',
      'a--1',
      'a-b',
      'a-1.5',
      'a-1e3',
      'a-0x1',
      'a-+1',
      'a-Infinity',
      'a-1-1',
    ],
    ...[' a-1', 'a-1 ', 'a- 1', 'a-1\n', 'a\0-1', 'é-1', 'a_-1', 'a-١', 'a-1&b-1'],
    ...['a-9007199254740992', 'a-99999999999999999999', `${'a'.repeat(17)}-1`],
  ])('is not read out of %j', (text) => {
    expect(parsePosition(text)).toBeUndefined();
  });
});

describe('an id that a client sends', () => {
  it('is the position that it was written from', () => {
    fc.assert(
      fc.property(anyPosition, (position) => {
        const text = formatPosition(position);
        expect(parseLastEventId(text)).toEqual({ kind: 'bare', text, position });
      }),
    );
  });

  it('is the positions of all the channels that it names, whatever they are called', () => {
    fc.assert(
      fc.property(namedPositions, (positions) => {
        const text = format(positions);
        expect(parseLastEventId(text)).toEqual({ kind: 'named', text, positions });
      }),
    );
  });

  it('fits into a header as it is', () => {
    fc.assert(
      fc.property(namedPositions, (positions) => expect(format(positions)).toMatch(/^[\x21-\x7e]+$/)),
    );
  });

  it.each([undefined, ''])('is none when it is %j', (text) => {
    expect(parseLastEventId(text)).toEqual({ kind: 'none' });
  });

  it('has an answer whatever it is, and nothing throws', () => {
    fc.assert(
      fc.property(hostileId, (text) => {
        const { kind } = parseLastEventId(text);
        expect(['none', 'bare', 'named', 'unreadable']).toContain(kind);
        expect(kind === 'none').toBe(text === '');
      }),
      { numRuns: 2_000 },
    );
  });

  it.each([
    ...[
      '42',
      'a-',
      'null',
      'e-1 ',
      'e-1,f-2',
      'e-1&f-2',
      'a=',
      '=',
      '&',
      '=e-1',
      'a=e-1&',
      '&a=e-1',
      'a=e-1&&b=e-1',
    ],
    ...[
      'a=e-1&b',
      'a=e-1&b=',
      'a=e-1&=e-1',
      'a=b=e-1',
      '%=e-1',
      '%zz=e-1',
      '%E0%A4%A=e-1',
      '%C3=e-1',
      '%ED%A0%80=e-1',
    ],
    ...['../../etc/passwd', '<script>', '\uD800=e-1 ', '😀'],
  ])('is unreadable, and kept as it is, when it is %j', (text) => {
    expect(parseLastEventId(text)).toEqual({ kind: 'unreadable', text });
  });

  it('names channels without history beside others', () => {
    const positions = new Map([
      ['typing/ä', undefined],
      ['a', { epoch: 'e', offset: 1 }],
    ]);
    const text = [...positions].map(([channel, position]) => formatNamed(channel, position)).join('&');
    expect(text).toBe('typing%2F%C3%A4=*&a=e-1');
    expect(parseLastEventId(text)).toEqual({ kind: 'named', text, positions });
    expect(hasSeen(parseLastEventId(text), { epoch: 'e', offset: 1 })).toBe(true);
  });

  it('may be of 4,096 bytes and no more', () => {
    const idOf = (length: number): string => 'c'.repeat(length - '=e-1'.length) + '=e-1';
    expect(MAX_ID_BYTES).toBe(4096);
    expect(parseLastEventId(idOf(4096)).kind).toBe('named');
    expect(parseLastEventId(idOf(4097)).kind).toBe('unreadable');
  });

  it('is not carried along when it is huge', () => {
    const id = parseLastEventId('x'.repeat(10_000_000));
    expect(id.kind === 'unreadable' && id.text.length).toBeLessThanOrEqual(MAX_ID_BYTES);
  });

  it('names channels that are called like what every object has', () => {
    const positions = new Map(
      ['__proto__', 'constructor', 'toString'].map((name, offset) => [name, { epoch: 'e', offset }]),
    );
    expect(parseLastEventId(format(positions))).toMatchObject({ kind: 'named', positions });
  });
});

describe('encodedLength', () => {
  it('is enough for a channel wherever its log has got to, with the sign before the next', () => {
    fc.assert(
      fc.property(channelName, anyPosition, (name, position) => {
        expect(`${formatNamed(name, position)}&`.length).toBeLessThanOrEqual(encodedLength(name));
      }),
    );
  });

  it('is not more than what the longest position takes', () => {
    const position = { epoch: 'e'.repeat(16), offset: Number.MAX_SAFE_INTEGER };
    expect(encodedLength('a/b ü')).toBe(`${formatNamed('a/b ü', position)}&`.length);
  });
});
