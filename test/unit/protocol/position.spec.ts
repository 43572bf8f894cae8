import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  channelHash,
  formatId,
  formatVector,
  longestId,
  MAX_ID_BYTES,
  parseId,
  parseLastEventId,
  type Position,
} from '../../../src/sse/protocol/position.js';
import { EventLog } from '../../../src/sse/log/event-log.js';
import { BIRTH } from '../log-entries.js';
import { history, Model, take } from '../log-model.js';
import { anyPosition, LONGEST } from '../positions.js';
import { anyText, channelName } from '../texts.js';

/** Positions by channel; undefined for one without history. */
type Positions = ReadonlyMap<string, Position | undefined>;

const idOf = (channel: string, position: Position): string => formatId(position, channelHash(channel));
const format = (positions: Positions): string =>
  formatVector([...positions].map(([name, position]) => [name, position && idOf(name, position)]));

/** What the parts of an id with names are read as. */
const parts = (positions: Positions): ReadonlyMap<string, unknown> =>
  new Map(
    [...positions].map(([name, position]) => {
      const part: unknown = position && expect.objectContaining({ position, text: idOf(name, position) });
      return [name, part];
    }),
  );

const namedPositions: fc.Arbitrary<Positions> = fc
  .uniqueArray(fc.tuple(channelName, fc.option(anyPosition, { nil: undefined })), {
    minLength: 1,
    maxLength: 8,
    selector: ([name]) => name,
  })
  .map((entries) => new Map(entries))
  .filter((positions) => format(positions).length <= MAX_ID_BYTES);

const bareId = fc
  .tuple(anyPosition, channelName)
  .map(([position, channel]) => ({ position, hash: channelHash(channel) }));

/** Ids of version 0.1, as its streams of one channel and of several sent them. */
const outdatedPosition = fc
  .tuple(fc.stringMatching(/^[0-9A-Za-z]{1,16}$/), fc.nat({ max: Number.MAX_SAFE_INTEGER }))
  .map(([epoch, offset]) => `${epoch}-${offset}`);
const outdatedVector = fc
  .array(fc.tuple(channelName, fc.oneof(outdatedPosition, fc.constant('*'))), { minLength: 1, maxLength: 5 })
  .filter((parts) => parts.some(([, position]) => position !== '*'))
  .map((parts) => parts.map(([name, position]) => `${encodeURIComponent(name)}=${position}`).join('&'))
  .filter((text) => text.length <= MAX_ID_BYTES);

/** What a client may send: ids of ours, damaged ones, and anything else. */
const hostileId = fc.oneof(
  anyText,
  fc.string({ unit: 'binary' }),
  fc
    .tuple(fc.oneof(namedPositions.map(format), outdatedVector, outdatedPosition), fc.nat(), anyText)
    .map(([id, place, text]) => {
      const at = place % (id.length + 1);
      return id.slice(0, at) + text + id.slice(at);
    }),
  fc.string({ unit: fc.constantFrom('a', '.', '-', '1', '=', '&', '%', '2', 'F', '*', 'ü'), maxLength: 40 }),
);

describe('the id of an event', () => {
  it('is its position and the hash of its channel', () => {
    fc.assert(
      fc.property(bareId, ({ position, hash }) => {
        const text = formatId(position, hash);
        expect(parseLastEventId(text)).toEqual({ kind: 'bare', text, position, hash });
        expect(parseId(text)).toMatchObject({ position, hash });
      }),
    );
  });

  it('is another for every other position and for every other hash', () => {
    fc.assert(
      fc.property(bareId, bareId, (one, other) => {
        const isSame = formatId(one.position, one.hash) === formatId(other.position, other.hash);
        expect(isSame).toBe(JSON.stringify(one) === JSON.stringify(other));
      }),
    );
  });

  it('is read out of no other text', () => {
    const others = [
      ...['', '.', 'a', '1', '1.', '.abcde', '1.abcd', '-1.abcde', '1-abcde', 'a.abcde', '1.5.abcde'],
      ...['1e3.abcde', '0x1.abcde', '+1.abcde', 'Infinity.abcde', ' 1.abcde', '1.abcde ', '1. abcde'],
      ...['1.abcde\n', '1\0.abcde', '1.abcdé', '1.ab-cd', '1.ab_cd', '١.abcde', '1.abcde&2.abcde'],
      ...['1.abcde,2.abcde', '9007199254740992.abcde', '99999999999999999999.abcde', `1.${'a'.repeat(33)}`],
    ];
    expect(others.filter((text) => parseId(text) !== undefined)).toEqual([]);
    const readable = others.filter((text) => parseLastEventId(text).kind !== 'unreadable');
    expect(readable).toEqual(['']);
  });
});

describe('an id that a client sends', () => {
  it('is the positions of all the channels that it names, whatever they are called', () => {
    fc.assert(
      fc.property(namedPositions, (positions) => {
        const text = format(positions);
        expect(parseLastEventId(text)).toEqual({ kind: 'named', text, positions: parts(positions) });
        expect(parseId(text)).toBeUndefined();
      }),
    );
  });

  it('fits into a header as it is', () => {
    fc.assert(
      fc.property(namedPositions, bareId, (positions, { position, hash }) => {
        for (const id of [format(positions), formatId(position, hash)]) expect(id).toMatch(/^[\x21-\x7e]+$/);
      }),
    );
  });

  it('is none when there is none, or it is empty', () => {
    for (const text of [undefined, '']) expect(parseLastEventId(text)).toEqual({ kind: 'none' });
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

  it('of version 0.1 is readable, and names an event that no log holds', () => {
    fc.assert(
      fc.property(outdatedPosition, history, (text, [limits, steps]) => {
        const id = parseLastEventId(text);
        expect(id).toMatchObject({ kind: 'bare', text });
        expect(parseId(text)).toBeUndefined();
        const [log, model] = [new EventLog(BIRTH, limits), new Model(limits)];
        for (const step of steps) take(log, model, step);
        expect(id.kind === 'bare' && log.missing(id.position)).toBe('unknown');
      }),
    );
  });

  it('of version 0.1 has such a position for each channel that it names', () => {
    fc.assert(
      fc.property(outdatedVector, (text) => {
        const id = parseLastEventId(text);
        expect(id).toMatchObject({ kind: 'named', text });
        const named = id.kind === 'named' ? [...id.positions.values()] : [];
        for (const part of named) if (part) expect(part.position.mark).toBe('');
        expect(named.some((part) => part !== undefined)).toBe(true);
      }),
    );
  });

  it('is unreadable, and kept as it is, when it is anything else', () => {
    const others = [
      ...['42', 'a-', 'null', 'e-1 ', '1.abcde ', 'e-1,f-2', 'e-1&f-2', '1.abcde&1.abcde'],
      ...[`${'a'.repeat(17)}-1`, 'a=', '=', '&', '=1.abcde', 'a=1.abcde&', '&a=1.abcde'],
      ...['a=1.abcde&&b=1.abcde', 'a=1.abcde&b', 'a=1.abcd', 'a=1.abcde&b=', 'a=1.abcde&=1.abcde'],
      ...['a=b=1.abcde', 'a=1.abcde&%=*', 'a=**', `a=1.${'m'.repeat(33)}`, '%=1.abcde', '%zz=1.abcde'],
      ...['%E0%A4%A=1.abcde', '%C3=1.abcde', '%ED%A0%80=1.abcde', '\uD800=1.abcde ', '=e-1', '%=e-1'],
      ...['a=e-1&b=?', 'a=e-1&b', 'a=?&b=e-1', '../../etc/passwd', '<script>', '😀'],
    ];
    expect(others.map(parseLastEventId)).toEqual(others.map((text) => ({ kind: 'unreadable', text })));
  });

  it('names channels without history beside others', () => {
    const positions = new Map([
      ['typing/ä', undefined],
      ['a', { offset: 1, mark: 'm' }],
    ]);
    const text = format(positions);
    expect(text).toBe(`typing%2F%C3%A4=*&a=1.m${channelHash('a')}`);
    expect(parseLastEventId(text)).toEqual({ kind: 'named', text, positions: parts(positions) });
  });

  it('may be of 4,096 bytes and no more', () => {
    const idOf = (length: number): string => 'c'.repeat(length - '=1.abcde'.length) + '=1.abcde';
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
      ['__proto__', 'constructor', 'toString'].map((name, offset) => [name, { offset, mark: 'm' }]),
    );
    expect(parseLastEventId(format(positions))).toEqual({
      kind: 'named',
      text: format(positions),
      positions: parts(positions),
    });
  });

  it('that names a channel twice has the last of the two', () => {
    const positions = new Map([['a', { offset: 2, mark: 'n' }]]);
    const text = `a=1.abcde&${format(positions)}`;
    expect(parseLastEventId(text)).toEqual({ kind: 'named', text, positions: parts(positions) });
  });
});

describe('the room that an id needs', () => {
  it('is enough for a channel wherever its log has got to, with the sign before the next', () => {
    fc.assert(
      fc.property(channelName, anyPosition, (name, position) => {
        expect(`${format(new Map([[name, position]]))}&`.length).toBeLessThanOrEqual(longestId([name]));
      }),
    );
  });

  it('is not more than what the longest position takes', () => {
    expect(longestId(['a/b ü'])).toBe(`${format(new Map([['a/b ü', LONGEST]]))}&`.length);
  });

  it('of several channels is never exceeded by their positions', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(channelName, { minLength: 1, maxLength: 12 }),
        anyPosition,
        (names, position) => {
          const longest = longestId(names);
          for (const each of [position, LONGEST, undefined])
            expect(Buffer.byteLength(format(new Map(names.map((name) => [name, each]))))).toBeLessThanOrEqual(
              longest,
            );
        },
      ),
    );
  });

  it('is known before it is too much: what fits is read again', () => {
    fc.assert(
      fc.property(fc.uniqueArray(channelName, { minLength: 1, maxLength: 12 }), (names) => {
        fc.pre(longestId(names) <= MAX_ID_BYTES);
        const text = format(new Map(names.map((name) => [name, LONGEST])));
        expect(Buffer.byteLength(text)).toBeLessThanOrEqual(MAX_ID_BYTES);
        expect(parseLastEventId(text).kind).toBe('named');
      }),
    );
  });

  it('of one event is little', () => {
    expect(formatId(LONGEST, channelHash('news'))).toHaveLength(16 + 1 + 28 + 4);
  });
});
