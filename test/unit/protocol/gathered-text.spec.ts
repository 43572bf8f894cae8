import { describe, expect, it } from '@jest/globals';
import { GatheredText, SharedText } from '../../../src/sse/protocol/event-stream.js';

describe('GatheredText', () => {
  const { EMPTY } = GatheredText;
  const body = new SharedText('data: 1\n\n');

  it('has the texts one after the other, each after its id', () => {
    const gathered = EMPTY.plus(body, '1.a').plus('data: 2\n\n', undefined);
    expect(gathered.text).toBe('id: 1.a\ndata: 1\n\ndata: 2\n\n');
    expect(gathered.chunk.toString()).toBe(`1a\r\n${gathered.text}\r\n`);
  });

  it('is the same object for those who gather the same one after the other', () => {
    const gather = (): GatheredText =>
      EMPTY.plus(body, ['1', 'a'].join('.')).plus(['data:', '2\n\n'].join(' '), undefined);
    const one = gather();
    expect(gather()).toBe(one);
    expect(gather().chunk).toBe(one.chunk);
  });

  it('is another where a text or an id differs', () => {
    const one = EMPTY.plus(body, '1.a');
    const others = [
      () => EMPTY.plus(body, '1.b'),
      () => EMPTY.plus(body, undefined),
      () => EMPTY.plus(new SharedText('data: 2\n\n'), '1.a'),
      () => EMPTY.plus('', '1.a'),
      () => EMPTY.plus('data: 0\n\n', undefined).plus(body, '1.a'),
    ];
    for (const other of others) {
      EMPTY.plus(body, '1.a');
      const made = other();
      expect(made).not.toBe(one);
      expect(made.text).not.toBe(one.text);
    }
    expect(EMPTY.text).toBe('');
  });
});
