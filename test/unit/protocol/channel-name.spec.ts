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

  it('may be what is special elsewhere', () => {
    const names = [
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
    ];
    expect(names.filter((name) => channelNameFault(name) !== undefined)).toEqual([]);
  });

  it('has 1 to 200 characters', () => {
    expect(channelNameFault('')).toBe('is empty');
    expect(MAX_CHANNEL_LENGTH).toBe(200);
    expect(channelNameFault('a'.repeat(200))).toBeUndefined();
    expect(channelNameFault('a'.repeat(201))).toMatch(/201 characters.*200/);
  });

  it('has no empty segment', () => {
    for (const name of ['/', '/a', 'a/', 'a//b', '//']) {
      expect(channelNameFault(name)).toMatch(/^has an empty segment\. Leave out a slash/);
    }
  });

  it('has no control character and no half of a surrogate pair', () => {
    for (const code of controlCharacters) {
      expect(channelNameFault(`a${String.fromCharCode(code)}b`)).toMatch(
        /control character.*encodeURIComponent/,
      );
    }
    for (const name of ['\uD83D', 'a\uDE00', '\uDE00\uD83D']) {
      expect(channelNameFault(name)).toMatch(/surrogate/);
    }
  });

  it('is a string', () => {
    const kinds = [undefined, null, 7, ['a'], Symbol('a')].map((name) => channelNameFault(name));
    const expected = ['undefined', 'null', 'number', 'object', 'symbol'];
    expect(kinds).toEqual(expected.map((kind) => `is ${kind}, not a string`));
  });

  it('has no parameter in it', () => {
    for (const name of [':id', 'orders/:id', ':a/b', 'orders/{id}', '{}']) {
      expect(placeholderFault(name)).toMatch(/in the place of a value\. Make it with/);
    }
    const others = ['a:id', ':', ':)', 'a{b}', '%3Aid'];
    expect(others.filter((name) => placeholderFault(name) !== undefined)).toEqual([]);
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
