import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  channelNameFault,
  MAX_CHANNEL_LENGTH,
  placeholderFault,
} from '../../../src/sse/protocol/channel-name.js';
import { anyText, channelName } from '../texts.js';

const controlCharacters = [...Array(32).keys(), ...Array.from({ length: 33 }, (_, i) => 0x7f + i)];

describe('the name of a channel', () => {
  it('may be of any characters, in segments', () => {
    fc.assert(fc.property(channelName, (name) => expect(channelNameFault(name)).toBeUndefined()));
  });

  it.each([
    'a',
    'orders/7',
    'chat/..',
    '../..',
    '.',
    'a b',
    '100%',
    '%2F',
    'ü/漢/😀',
    '__proto__',
    'a?b#c&d=e',
    ':room',
  ])('may be %j', (name) => {
    expect(channelNameFault(name)).toBeUndefined();
  });

  it('has 1 to 200 characters', () => {
    expect(channelNameFault('')).toBe('is empty');
    expect(MAX_CHANNEL_LENGTH).toBe(200);
    expect(channelNameFault('a'.repeat(200))).toBeUndefined();
    expect(channelNameFault('a'.repeat(201))).toMatch(/201 characters.*200/);
  });

  it.each(['/', '/a', 'a/', 'a//b', '//'])('has no empty segment: %j', (name) => {
    expect(channelNameFault(name)).toMatch(/^has an empty segment\. Leave out a slash/);
  });

  it.each(controlCharacters.map((code) => `a${String.fromCharCode(code)}b`))(
    'has no control character: %j',
    (name) => {
      expect(channelNameFault(name)).toMatch(/control character.*encodeURIComponent/);
    },
  );

  it.each(['\uD83D', 'a\uDE00', '\uDE00\uD83D'])('has no half of a surrogate pair: %j', (name) => {
    expect(channelNameFault(name)).toMatch(/surrogate/);
  });

  it.each([
    [undefined, 'undefined'],
    [null, 'null'],
    [7, 'number'],
    [['a'], 'object'],
    [Symbol('a'), 'symbol'],
  ])('is a string, not %p', (name, kind) => {
    expect(channelNameFault(name)).toBe(`is ${kind}, not a string`);
  });

  it.each([':id', 'orders/:id', ':a/b', 'orders/{id}', '{}'])('has no parameter in it: %j', (name) => {
    expect(placeholderFault(name)).toMatch(/in the place of a value\. Make it with/);
  });

  it.each(['a:id', ':', ':)', 'a{b}', '%3Aid'])('may have %j in it', (name) => {
    expect(placeholderFault(name)).toBeUndefined();
  });

  it('can be put into an id whenever it is without fault', () => {
    const isRefused = (name: string): boolean => channelNameFault(name) !== undefined;
    fc.assert(
      fc.property(anyText, (name) => {
        expect(isRefused(name) || decodeURIComponent(encodeURIComponent(name)) === name).toBe(true);
      }),
    );
  });
});
