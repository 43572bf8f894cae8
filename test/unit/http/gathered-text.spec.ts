import { describe, expect, it } from '@jest/globals';
import { GatheredText } from '../../../src/sse/http/gathered-text.js';
import { SharedText } from '../../../src/sse/protocol/event-stream.js';

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

  it('is to each its own where those who gather different texts take turns', () => {
    const groups = ['a', 'b', 'c'].map((name) => {
      const bodies = [1, 2].map((n) => new SharedText(`data: ${name}${n}\n\n`));
      return { bodies, text: bodies.map(({ text }) => `id: ${name}\n${text}`).join(''), name };
    });
    const clients = Array.from({ length: 9 }, (_, i) => ({ group: groups[i % 3]!, gathered: EMPTY }));
    for (const i of [0, 1])
      for (const client of clients) {
        const { bodies, name } = client.group;
        client.gathered = client.gathered.plus(bodies[i]!, name);
      }
    for (const { group, gathered } of clients) {
      expect(gathered.text).toBe(group.text);
      expect(gathered.chunk.toString()).toBe(`${group.text.length.toString(16)}\r\n${group.text}\r\n`);
    }
  });
});
