import { describe, expect, it, jest } from '@jest/globals';
import { foreignEvent } from '../../../src/sse/http/event-body.js';
import { publishedEvent } from '../../../src/sse/log/published-event.js';
import { entryAt, stored } from '../stored-events.js';

const bodyOf = (data: unknown, more: object = {}): string => foreignEvent({ ...more, data }).body;

describe('the body of an event with the data of another', () => {
  it('is that of the data as it is now, where somebody can change it', () => {
    const data = { a: 1, list: [1] };
    expect(bodyOf(data)).toBe('data: {"a":1,"list":[1]}\n\n');
    data.list.push(2);
    expect(bodyOf(data)).toBe('data: {"a":1,"list":[1,2]}\n\n');
    const frozen = Object.freeze({ list: data.list });
    expect(bodyOf(frozen)).toBe('data: {"list":[1,2]}\n\n');
    data.list.push(3);
    expect(bodyOf(frozen)).toBe('data: {"list":[1,2,3]}\n\n');
  });

  it('is made once of the data of an event of the hub, which nobody can change', () => {
    const event = publishedEvent(
      'news',
      { has: () => true },
      entryAt(7, stored({ data: { a: [1] } })),
      'hash',
    );
    const stringify = jest.spyOn(JSON, 'stringify');
    const bodies = [bodyOf(event.data), bodyOf(event.data)];
    expect(stringify).toHaveBeenCalledTimes(1);
    stringify.mockRestore();
    expect(bodies).toEqual(Array(2).fill('data: {"a":[1]}\n\n'));
    expect(() => (event.data as { a: number[] }).a.push(2)).toThrow(TypeError);
  });

  it('has the other fields of its event', () => {
    const event = publishedEvent('news', { has: () => true }, entryAt(7, stored({ data: { a: 1 } })), 'hash');
    expect(bodyOf(event.data)).toBe('data: {"a":1}\n\n');
    expect(bodyOf(event.data, { type: 'mine' })).toBe('event: mine\ndata: {"a":1}\n\n');
    expect(bodyOf(event.data, { retry: 5, comment: 'c' })).toMatch(/^(: c\n|retry: 5\n){2}data: /);
  });
});
