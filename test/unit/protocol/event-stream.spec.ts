import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  eventBody,
  HEARTBEAT,
  idLine,
  isOneLine,
  normalText,
  positionBlock,
  positionEvent,
  retryBlock,
  type EventFields,
} from '../../../src/sse/protocol/event-stream.js';
import { cut, partsOf, partsOfText, type StreamParts } from '../event-stream-parts.js';
import { anyText, oneLineText, throughUtf8 } from '../texts.js';

type AnEvent = EventFields & { readonly id?: string };

/** An event as a connection writes it. */
const eventText = ({ id, ...fields }: AnEvent): string =>
  (id === undefined ? '' : idLine(id)) + eventBody(fields);

const anyEvent: fc.Arbitrary<AnEvent> = fc.record(
  {
    type: oneLineText.filter((type) => type !== ''),
    id: oneLineText,
    retry: fc.nat({ max: Number.MAX_SAFE_INTEGER }),
    comment: anyText,
    data: anyText,
  },
  { requiredKeys: [] },
);

/** The form in which the standard says that a text arrives: said in another way than the code says it. */
const normalLines = (text: string): string[] =>
  throughUtf8(text)
    .replaceAll('\r\n', '\n')
    .split(/[\r\n]/);
const normal = (text: string): string => normalLines(text).join('\n');

function normalForm(events: readonly AnEvent[]): StreamParts {
  return {
    events: events
      .filter(({ data }) => data !== undefined)
      .map(({ id, type, data }) => ({
        id: id === undefined ? undefined : throughUtf8(id),
        event: type === undefined ? undefined : throughUtf8(type),
        data: normal(data!),
      })),
    comments: events.flatMap(({ comment }) => (comment === undefined ? [] : normalLines(comment))),
    retries: events.flatMap(({ retry }) => (retry === undefined ? [] : [Number(retry)])),
  };
}

const dataOf = (data: string): string[] => partsOfText(eventText({ data })).events.map((event) => event.data);

describe('an event as text/event-stream', () => {
  it('arrives in its normal form, whatever is in its fields and wherever its bytes are cut', () => {
    fc.assert(
      fc.property(
        fc.array(anyEvent, { maxLength: 5 }),
        fc.array(fc.nat(), { maxLength: 8 }),
        (events, cuts) => {
          const bytes = Buffer.from(events.map(eventText).join(''));
          expect(partsOf(cut(bytes, cuts))).toEqual(normalForm(events));
        },
      ),
      { numRuns: 2_000 },
    );
  });

  it('arrives the same when every byte comes alone', () => {
    const event = { type: 'é 漢', id: '😀', retry: 7, comment: 'a\rb', data: '\uFEFF\n 👩‍👩‍👧\r\n\uD83D' };
    const bytes = Buffer.from(eventText(event));
    expect(partsOf(cut(bytes, [...bytes.keys()]))).toEqual(normalForm([event]));
  });

  it.each([
    ['LF', 'a\nb', 'a\nb'],
    ['CR', 'a\rb', 'a\nb'],
    ['CR LF', 'a\r\nb', 'a\nb'],
    ['LF CR, which is two line ends', 'a\n\rb', 'a\n\nb'],
    ['line ends at both ends', '\na\r\n', '\na\n'],
    ['nothing at all', '', ''],
    ['leading spaces', '  a\n b', '  a\n b'],
    ['a BOM', '\uFEFFa', '\uFEFFa'],
    ['emoji', '👩‍👩‍👧', '👩‍👩‍👧'],
    ['line separators that are none here', 'a\u2028b\u2029c\u0085d', 'a\u2028b\u2029c\u0085d'],
    ['NUL', 'a\0b', 'a\0b'],
    ['lone surrogates', '\uD83D-\uDE00', '\uFFFD-\uFFFD'],
    ['what looks like fields', 'data: x\nid: 1\n\nevent: gap', 'data: x\nid: 1\n\nevent: gap'],
  ])('brings data with %s', (_what, data, expected) => {
    expect(dataOf(data)).toEqual([expected]);
  });

  it('brings megabytes of data, in one line and in very many', () => {
    const line = 'é'.repeat(3_000_000);
    const lines = 'x\r\n'.repeat(200_000);
    expect(dataOf(line)).toEqual([line]);
    expect(dataOf(lines)).toEqual([lines.replaceAll('\r', '')]);
  });

  it('is dropped by a client if it has no data, and then its retry and its comment are read all the same', () => {
    const text = eventText({ type: 'a', id: '1', retry: 10, comment: 'b' });
    expect(partsOfText(text)).toEqual({ events: [], comments: ['b'], retries: [10] });
  });

  it('hands nothing on to the event after it', () => {
    const text = eventText({ type: 'a', id: '1', retry: 10 }) + eventText({ data: 'b' });
    expect(partsOfText(text).events).toEqual([{ id: undefined, event: undefined, data: 'b' }]);
  });

  it('has a blank id when its id is the empty string, which makes a client forget its last one', () => {
    expect(partsOfText(eventText({ id: '', data: 'a' })).events[0]?.id).toBe('');
  });
});

describe('the event that moves the position', () => {
  it('has an id and data, and a type that is no message', () => {
    const text = positionEvent('1.a');
    expect(text).toBe('id: 1.a\nevent: sse-position\ndata: {}\n\n');
    expect(partsOfText(text)).toEqual({
      events: [{ id: '1.a', event: 'sse-position', data: '{}' }],
      comments: [],
      retries: [],
    });
  });

  it('says in the same block how long a client waits', () => {
    const text = positionEvent('1.a', 1500);
    expect(text).toBe('id: 1.a\nretry: 1500\nevent: sse-position\ndata: {}\n\n');
    expect(partsOfText(text)).toMatchObject({ events: [{ id: '1.a' }], retries: [1500] });
  });
});

describe('a block without an event', () => {
  it('sets the position and dispatches nothing', () => {
    expect(positionBlock('1.a')).toBe('id: 1.a\n\n');
    expect(partsOfText(positionBlock('1.a'))).toEqual({ events: [], comments: [], retries: [] });
    expect(positionBlock('1.a', 1500)).toBe('id: 1.a\nretry: 1500\n\n');
    expect(partsOfText(positionBlock('1.a', 1500))).toEqual({ events: [], comments: [], retries: [1500] });
  });

  it('sets how long a client waits', () => {
    expect(partsOfText(retryBlock(1500))).toEqual({ events: [], comments: [], retries: [1500] });
  });

  it('is a comment when it is a heartbeat', () => {
    expect(partsOfText(HEARTBEAT)).toEqual({ events: [], comments: [''], retries: [] });
  });

  it('has no blank line when it is a heartbeat, at which some clients dispatch an event', () => {
    expect(HEARTBEAT).toBe(':\n');
  });
});

describe('normalText', () => {
  it('is the text as a client gets it', () => {
    fc.assert(fc.property(anyText, (text) => expect(dataOf(text)).toEqual([normalText(text)])));
  });

  it('changes nothing a second time', () => {
    fc.assert(fc.property(anyText, (text) => expect(normalText(normalText(text))).toBe(normalText(text))));
  });
});

describe('isOneLine', () => {
  function arrives(id: string): boolean {
    try {
      return partsOfText(eventText({ id, data: '' })).events.some((event) => event.id === throughUtf8(id));
    } catch {
      return false; // a part of it became a field that there is not
    }
  }

  it('is true of exactly what arrives unchanged as an id', () => {
    fc.assert(fc.property(anyText, (text) => expect(isOneLine(text)).toBe(arrives(text))));
  });
});
