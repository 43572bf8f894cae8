import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import * as z from 'zod';
import { defineChannel } from '../../../src/sse/channels/channel-definition.js';
import { type } from '../../../src/sse/channels/event-schemas.js';
import { OnSubscribe } from '../../../src/sse/hooks/hooks.decorators.js';
import { channelNameFault } from '../../../src/sse/protocol/channel-name.js';
import { refusal, refused } from '../refusal.js';

const Room = defineChannel('chat/:room');
const Seat = defineChannel('halls/:hall/rows/:row');
const untyped = (value: unknown): never => value as never;

describe('the name of a channel with parameters', () => {
  it('has each value percent-encoded, as one segment', () => {
    const cases = [
      ['lobby', 'chat/lobby'],
      ['a b', 'chat/a%20b'],
      ['1/../2', 'chat/1%2F..%2F2'],
      ['..', 'chat/..'],
      ['100%', 'chat/100%25'],
      ['%2F', 'chat/%252F'],
      ['ü😀', 'chat/%C3%BC%F0%9F%98%80'],
      ['a\nb\0', 'chat/a%0Ab%00'],
      [':room', 'chat/%3Aroom'],
      [7, 'chat/7'],
      [0, 'chat/0'],
    ] as const;
    for (const [room, name] of cases) {
      expect(Room.of({ room })).toBe(name);
    }
  });

  it('has each parameter in its place', () => {
    expect(Seat.of({ row: 'b', hall: 'a' })).toBe('halls/a/rows/b');
  });

  it('is well-formed, is matched by its definition, and is another for another value', () => {
    const value = fc.string({ unit: 'binary', minLength: 1, maxLength: 15 });
    fc.assert(
      fc.property(value, value, (a, b) => {
        const [one, other] = [Room.of({ room: a }), Room.of({ room: b })];
        expect(channelNameFault(one)).toBeUndefined();
        expect(Room.matches(one)).toBe(true);
        expect(one === other).toBe(a === b);
      }),
    );
  });

  it('is refused when a parameter is missing, or is neither a text nor a number', () => {
    const cases = [
      ['missing', {}],
      ['undefined', { room: undefined }],
      ['null', { room: null }],
      ['empty', { room: '' }],
      ['an object', { room: {} }],
      ['a boolean', { room: false }],
      ['misnamed', { Room: 'a' }],
      ['half of a surrogate pair', { room: '\uD83D' }],
    ] as const;
    for (const [_what, params] of cases) {
      expect(refusal(() => Room.of(untyped(params)))).toEqual(
        refused('INVALID_CHANNEL', /"room".*"chat\/:room"/),
      );
    }
  });

  it('is refused without any parameters', () => {
    expect(refusal(() => Reflect.apply(Room.of, Room, []))).toEqual(refused('INVALID_CHANNEL', /"room"/));
  });

  it('is refused when a parameter is one that every object has', () => {
    const odd = defineChannel('a/:constructor');
    expect(refusal(() => odd.of(untyped({})))).toEqual(refused('INVALID_CHANNEL', /"constructor"/));
  });

  it('is refused when it gets longer than 200 characters', () => {
    expect(Room.of({ room: 'x'.repeat(195) })).toHaveLength(200);
    expect(refusal(() => Room.of({ room: 'x'.repeat(196) }))).toEqual(refused('INVALID_CHANNEL', /200/));
    expect(refusal(() => Room.of({ room: 'ü'.repeat(40) }))).toEqual(refused('INVALID_CHANNEL', /200/));
  });

  it('is the pattern itself where there are no parameters', () => {
    expect(defineChannel('broadcast/all').of()).toBe('broadcast/all');
  });
});

describe('a definition', () => {
  it('has its types of event, and schemas to check them by where a type has one', () => {
    const schema = z.string();
    const untypedEvents = defineChannel('a', { events: { said: type<string>() } });
    expect([...untypedEvents.events!]).toEqual([['said', undefined]]);
    expect(untypedEvents.schemas).toBeUndefined();
    const checked = defineChannel('b', { events: { said: schema, left: type<undefined>() } });
    expect([...checked.events!]).toEqual([
      ['said', schema],
      ['left', undefined],
    ]);
    expect(checked.schemas).toBe(checked.events);
    expect([Room.events, Room.schemas]).toEqual([undefined, undefined]);
  });

  it('is of the names that have a segment for each of its own', () => {
    for (const name of ['chat/lobby', 'chat/..', 'chat/a%2Fb', 'chat/:room', 'chat/😀']) {
      expect(Room.matches(name)).toBe(true);
    }
  });

  it('is of no other name', () => {
    for (const name of ['chat', 'chat/a/b', 'Chat/a', 'news/a', 'a/chat', 'chat/a/', '']) {
      expect(Room.matches(name)).toBe(false);
    }
  });

  it('takes a dot for a dot', () => {
    expect(defineChannel('a.b').matches('axb')).toBe(false);
  });

  it('is refused with what stands for others elsewhere, and says how it is written here', () => {
    const cases = [
      '*',
      '**',
      'orders/*',
      'orders/:id/*',
      'orders/{id}',
      'orders/*.json',
      'orders/#',
      'orders/>',
    ];
    for (const pattern of cases) {
      expect(refusal(() => defineChannel(pattern))).toEqual(refused('INVALID_CHANNEL', /written :name/));
      expect(refusal(() => OnSubscribe(pattern))).toEqual(refused('INVALID_CHANNEL', /written :name/));
    }
  });

  it('is refused with an ill-formed pattern', () => {
    for (const pattern of ['', '/', '/chat', 'chat/', 'a//b', 'a\nb', 'x'.repeat(201)]) {
      expect(refusal(() => defineChannel(pattern))).toEqual(refused('INVALID_CHANNEL', /pattern/));
    }
  });

  it('is refused with a pattern that is no text', () => {
    for (const pattern of [undefined, null, 7, ['a']]) {
      expect(refusal(() => defineChannel(untyped(pattern)))).toEqual(
        refused('INVALID_CHANNEL', /not a string/),
      );
    }
  });

  it('is refused with parameters that are not named by letters, or named twice', () => {
    for (const pattern of ['chat/:', 'chat/:a-b', 'chat/:a b', 'chat/:ü', ':a/:a']) {
      expect(refusal(() => defineChannel(pattern))).toEqual(refused('INVALID_CHANNEL', /parameters/));
    }
  });

  it('is refused when one of its options is wrong, at once', () => {
    const cases = [
      ['history', { history: { count: 0 } }],
      ['ttl', { ttl: 0 }],
      ['replay', { replay: 'some' }],
      ['a number of events', { replay: 'last' }],
      ['slow', { slow: 'latest' }],
      ['histroy', { histroy: 0 }],
      ['maxEventBytes', { maxEventBytes: 1 }],
      ['historyy', { history: { historyy: 1 } }],
    ] as const;
    for (const [option, options] of cases) {
      expect(refusal(() => defineChannel('a', untyped(options)))).toEqual(refused('INVALID_OPTIONS', option));
    }
  });

  it('is refused with options that are no object', () => {
    for (const options of [null, 7, 'history']) {
      expect(refusal(() => defineChannel('a', untyped(options)))).toEqual(refused('INVALID_OPTIONS'));
    }
  });
});
