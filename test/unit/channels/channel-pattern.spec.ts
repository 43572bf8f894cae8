import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { defineChannel } from '../../../src/sse/channels/channel-definition.js';
import { ChannelPattern } from '../../../src/sse/channels/channel-pattern.js';

describe('what a pattern reads from a name', () => {
  const pattern = new ChannelPattern('tenants/:tenant/orders/:order_2');

  it('is its parameters, decoded', () => {
    expect(pattern.match('tenants/a%20b/orders/7')).toEqual({
      params: { tenant: 'a b', order_2: '7' },
      isCanonical: true,
    });
  });

  it('is nothing where it does not match', () => {
    const cases = [
      'tenants/a/orders',
      'tenants/a/orders/7/items',
      'Tenants/a/orders/7',
      'tenants/a/order/7',
      'tenants',
      '',
    ];
    for (const name of cases) {
      expect(pattern.match(name)).toBeUndefined();
    }
  });

  it('is nothing to be read where it has no parameters', () => {
    expect(new ChannelPattern('news/all').match('news/all')).toEqual({ params: {}, isCanonical: true });
  });

  it('is what was encoded, one segment', () => {
    const cases = [
      ['1%2F..%2F2', '1/../2'],
      ['..', '..'],
      ['%2525', '%25'],
      ['%00', '\0'],
      ['%0D%0A', '\r\n'],
      ["!'()*~-_.", "!'()*~-_."],
      ['__proto__', '__proto__'],
    ] as const;
    for (const [segment, value] of cases) {
      expect(new ChannelPattern('a/:b').match(`a/${segment}`)).toEqual({
        params: { b: value },
        isCanonical: true,
      });
    }
  });

  it('is not canonical where it is written otherwise', () => {
    const cases = ['%61', '%2f', 'a b', 'ü', '%', '%FF', '%C0%AF', '%ED%A0%80', 'a:b', 'a@b', '+%2B'];
    for (const segment of cases) {
      expect(new ChannelPattern('a/:b').match(`a/${segment}`)?.isCanonical).toBe(false);
    }
  });

  it('is not canonical where one of several is not', () => {
    expect(pattern.match('tenants/%61/orders/7')?.isCanonical).toBe(false);
    expect(pattern.match('tenants/a/orders/%37')?.isCanonical).toBe(false);
  });

  it('is what the name was made of, and no two names are canonical of the same', () => {
    const Room = defineChannel('rooms/:room');
    const rooms = new ChannelPattern('rooms/:room');
    const value = fc.string({ unit: 'binary', minLength: 1, maxLength: 15 });
    fc.assert(
      fc.property(value, (room) => {
        expect(rooms.match(Room.of({ room }))).toEqual({ params: { room }, isCanonical: true });
      }),
    );
    fc.assert(
      fc.property(fc.stringMatching(/^[a-z%0-9A-F]{1,9}$/), (segment) => {
        const found = rooms.match(`rooms/${segment}`)!;
        if (found.isCanonical) expect(Room.of({ room: found.params.room! })).toBe(`rooms/${segment}`);
      }),
    );
  });

  it('can be changed by nobody, whatever its parameters are called', () => {
    const { params } = new ChannelPattern(':__proto__/:constructor').match('a/b')!;
    expect(Object.entries(params)).toEqual([
      ['__proto__', 'a'],
      ['constructor', 'b'],
    ]);
    expect(Object.isFrozen(params)).toBe(true);
    expect(Object.getPrototypeOf(params)).toBe(Object.prototype);
  });
});

it.each([
  ['orders/:id', 'orders/:order', true],
  ['orders/:id', 'orders/7', true],
  ['orders/7', ':kind/:id', true],
  ['orders/7', 'orders/8', false],
  ['orders/:id', 'orders/:id/items', false],
  ['orders/:id', 'notes/:id', false],
])('%s and %s may match one name: %s', (one, other, is) => {
  const [a, b] = [new ChannelPattern(one), new ChannelPattern(other)];
  expect([a.overlaps(b), b.overlaps(a)]).toEqual([is, is]);
});
