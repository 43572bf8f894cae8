import { describe, expect, it } from '@jest/globals';
import { decodeEvent, encodeEvent } from '../../../src/sse/backplanes/common/event-text.js';
import { stored } from '../stored-events.js';

const trace = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
const also = [{ channel: 'a "1"\n', offset: 7, mark: 'abcdefgh' }];

describe('the text of an event on a server', () => {
  // The texts themselves: instances of other versions write and read them.
  it.each([
    [{ type: 'x', data: { a: 1 } }, '{"t":"x","d":1}\n{"a":1}'],
    [{ data: 'two\nlines', id: '7', retry: 5, comment: 'c' }, '{"i":"7","r":5,"c":"c","d":0}\ntwo\nlines'],
    [{ comment: '' }, '{"c":""}\n'],
  ])('is the one of earlier versions where nothing travels with it: %j', (input, text) => {
    const event = stored(input);
    expect(encodeEvent(event)).toBe(text);
    expect(decodeEvent(text)).toStrictEqual(event);
  });

  it.each([
    [{ trace }, `{"d":0,"p":"${trace}"}\nx`],
    [{ also }, '{"d":0,"a":[["a \\"1\\"\\n",7,"abcdefgh"]]}\nx'],
    [{ trace, also }, `{"d":0,"p":"${trace}","a":[["a \\"1\\"\\n",7,"abcdefgh"]]}\nx`],
  ])('has what travels with it in fields of its own, which earlier versions pass over: %j', (what, text) => {
    const event = { ...stored({ data: 'x' }), ...what };
    expect(encodeEvent(event)).toBe(text);
    expect(decodeEvent(text)).toStrictEqual(event);
  });

  it('may have fields that only a later version knows', () => {
    expect(decodeEvent('{"d":0,"later":{}}\nx')).toStrictEqual(stored({ data: 'x' }));
  });

  it.each([
    'nonsense',
    '{"d":0}',
    '1\nx',
    '{"t":1}\nx',
    '{"r":"1"}\nx',
    '{"d":2}\nx',
    '{"p":1}\nx',
    '{"a":{}}\nx',
    '{"a":[["a",1]]}\nx',
    '{"a":[["a","1","b"]]}\nx',
    '{"a":[[1,1,"b"]]}\nx',
    '{"a":[null]}\nx',
  ])('is none where another application wrote it: %j', (text) => {
    expect(decodeEvent(text)).toBeUndefined();
  });
});
