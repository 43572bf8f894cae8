import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { SseEventInput } from '../../../src/sse/log/sse-event.js';
import { storedEvent } from '../../../src/sse/log/stored-event.js';
import { partsOfText } from '../event-stream-parts.js';
import { refusal, refused } from '../refusal.js';
import { stored } from '../stored-events.js';
import { anyText, throughUtf8 } from '../texts.js';

const MAX = 1_000;
const withOwnIds = (event: unknown): unknown => storedEvent(event as SseEventInput, 'publisher', MAX);
const withHubIds = (event: unknown): unknown => storedEvent(event as SseEventInput, 'hub', MAX);
const circular: { self?: unknown } = {};
circular.self = circular;
const thrower = {
  toJSON: () => {
    throw new TypeError('not me');
  },
};

describe('an event is refused, with a message that names what is wrong,', () => {
  it('if its type is reserved', () => {
    for (const type of ['gap', 'snapshot', 'denied', 'expired', 'connection', 'error']) {
      expect(refusal(() => withOwnIds({ type, data: 1 }))).toEqual(refused('RESERVED_TYPE', `"${type}"`));
    }
  });

  it('if its type is no text of one line', () => {
    for (const type of ['a\nb', 'a\rb', 'a\r\nb', 'a\0b', '\n', 'message\n', '', 7, null, {}, ['a']]) {
      expect(refusal(() => withOwnIds({ type, data: 1 }))).toEqual(refused('INVALID_EVENT', /type/));
    }
  });

  it('if its own id is no text of one line', () => {
    for (const id of ['a\nb', 'a\rb', 'a\0b', '\n', 7, null, {}]) {
      expect(refusal(() => withOwnIds({ id, data: 1 }))).toEqual(refused('INVALID_EVENT', /id/));
    }
  });

  it('if its own id is not of ASCII, with what to do', () => {
    for (const id of ['ü', '漢', 'a\tb', '\uD83D']) {
      expect(refusal(() => withOwnIds({ id, data: 1 }))).toEqual(
        refused('INVALID_EVENT', /encodeURIComponent/),
      );
    }
  });

  it('if its own id is longer than what a client can send back', () => {
    expect(refusal(() => withOwnIds({ id: 'x'.repeat(4_097), data: 1 }))).toEqual(
      refused('INVALID_EVENT', /id/),
    );
    expect(refusal(() => withOwnIds({ id: 'x'.repeat(4_096), data: 1 }))).toHaveProperty('accepted');
  });

  it('if it has an id where the hub makes them', () => {
    for (const id of ['7', '', 'e-1']) {
      expect(refusal(() => withHubIds({ id, data: 1 }))).toEqual(refused('ID_NOT_ALLOWED', /history: 0/));
    }
  });

  it('if its retry is no whole number of milliseconds', () => {
    for (const retry of [-1, 0.5, NaN, Infinity, 2 ** 53, '1000', null, {}, 1n]) {
      expect(refusal(() => withOwnIds({ retry, data: 1 }))).toEqual(refused('INVALID_EVENT', /retry/));
    }
  });

  it('if its comment is no text', () => {
    for (const comment of [7, null, {}, ['a']]) {
      expect(refusal(() => withOwnIds({ comment, data: 1 }))).toEqual(refused('INVALID_EVENT', /comment/));
    }
  });

  it.each([
    ['circular', circular, /circular/],
    ['a BigInt', { big: 1n }, /BigInt/],
    ['a BigInt alone', 1n, /BigInt/],
    ['of a toJSON that throws', thrower, /not me/],
    ['a function', () => 1, /function/],
    ['a symbol', Symbol('a'), /symbol/],
    ['of a toJSON that gives undefined', { toJSON: () => undefined }, /no form/],
    ['too deep', JSON.parse('['.repeat(50_000) + ']'.repeat(50_000)), /stack/],
  ])('if its data is %s', (_what, data, message) => {
    expect(refusal(() => withOwnIds({ data }))).toEqual(refused('NOT_SERIALIZABLE', message));
  });

  it('if it has more than maxEventBytes as it goes out, in UTF-8', () => {
    const room = MAX - 'data: \n\n'.length;
    expect(refusal(() => withOwnIds({ data: 'é'.repeat(room / 2) }))).toHaveProperty('accepted.bytes', MAX);
    expect(refusal(() => withOwnIds({ data: 'é'.repeat(room / 2) + 'x' }))).toEqual(
      refused('EVENT_TOO_LARGE', /1001.*1000/),
    );
    expect(refusal(() => withOwnIds({ data: '', comment: '\n'.repeat(500) }))).toEqual(
      refused('EVENT_TOO_LARGE'),
    );
    expect(refusal(() => withOwnIds({ data: '', type: 't'.repeat(MAX) }))).toEqual(
      refused('EVENT_TOO_LARGE'),
    );
  });

  it('if it has another field', () => {
    for (const field of ['event', 'channel', 'Data', 'name']) {
      expect(refusal(() => withOwnIds({ data: 1, [field]: 'x' }))).toEqual(
        refused('INVALID_EVENT', `"${field}"`),
      );
    }
  });

  it('if it is no object', () => {
    for (const event of [undefined, null, 'text', 7, true, () => 1]) {
      expect(refusal(() => withOwnIds(event))).toEqual(refused('INVALID_EVENT', /object/));
    }
  });

  it('if there is nothing in it', () => {
    for (const event of [{}, { data: undefined }, { type: undefined, id: undefined }, []]) {
      expect(refusal(() => withOwnIds(event))).toEqual(refused('INVALID_EVENT', /at least one/));
    }
  });
});

describe('the reason of a refusal', () => {
  it('carries the error of toJSON as its cause', () => {
    expect(refusal(() => withOwnIds({ data: thrower }))).toMatchObject({ cause: new TypeError('not me') });
  });
});

describe('an event is taken', () => {
  it('with any of its fields alone, and with values at their limits', () => {
    const events = {
      'a type alone': { type: 'ping' },
      'an id alone': { id: '1' },
      'an empty id, which resets what a client remembers': { id: '' },
      'a retry alone': { retry: 0 },
      'a comment alone': { comment: '' },
      'an empty text': { data: '' },
      null: { data: null },
      'fields that are undefined': {
        type: undefined,
        data: 'x',
        id: undefined,
        retry: undefined,
        comment: undefined,
      },
      'a type that is nearly reserved': { type: 'Error' },
      'the longest retry': { retry: Number.MAX_SAFE_INTEGER },
    };
    for (const event of Object.values(events)) {
      expect(refusal(() => withOwnIds(event))).toHaveProperty('accepted');
    }
  });

  it('with a type and no data, and then it has an empty data line, so that listeners hear of it', () => {
    expect(partsOfText(stored({ type: 'ping' }).body).events).toEqual([
      { id: undefined, event: 'ping', data: '' },
    ]);
  });

  it('with a text as it is, and any other value as JSON', () => {
    const dataOf = (data: unknown): string => partsOfText(stored({ data }).body).events[0]!.data;
    expect(dataOf('{"a":1}')).toBe('{"a":1}');
    expect([1.5, true, null, [1, 'a'], { a: { b: 'c\nd' } }].map(dataOf)).toEqual([
      '1.5',
      'true',
      'null',
      '[1,"a"]',
      '{"a":{"b":"c\\nd"}}',
    ]);
    expect([new Date(0), new String('a'), { toJSON: () => 7 }, [undefined]].map(dataOf)).toEqual([
      '"1970-01-01T00:00:00.000Z"',
      '"a"',
      '7',
      '[null]',
    ]);
  });

  it('with any JSON value, which a client reads as it was', () => {
    fc.assert(
      fc.property(
        fc.jsonValue().filter((value) => typeof value !== 'string'),
        (data) => {
          const { events } = partsOfText(stored({ data: { data } }).body);
          expect(JSON.parse(events[0]!.data)).toEqual({ data: JSON.parse(JSON.stringify(data)) });
        },
      ),
    );
  });
});

describe('a stored event', () => {
  it('has the size of its lines in UTF-8', () => {
    fc.assert(
      fc.property(fc.record({ data: anyText, comment: anyText, retry: fc.nat() }), (event) => {
        const { body, bytes } = stored(event);
        expect(bytes).toBe(Buffer.from(body).length);
      }),
    );
  });

  it('keeps its texts in the form in which a client gets them', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const { data, comment, body } = stored({ data: text, comment: text });
        expect(data).toBe(partsOfText(body).events[0]!.data);
        expect(comment).toBe(data);
      }),
    );
    const lone = stored({ type: 'a\uD83D', data: '' });
    expect(lone.type).toBe(throughUtf8('a\uD83D'));
  });

  it('has no line for its id, because that is every client’s own', () => {
    expect(stored({ id: '7', data: 'x' })).toMatchObject({ id: '7', body: 'data: x\n\n' });
  });

  it('does not change when what was published does', () => {
    const data = { price: 1 };
    const event = stored({ data });
    data.price = 2;
    expect(event.data).toBe('{"price":1}');
  });
});
