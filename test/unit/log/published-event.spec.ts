import { describe, expect, it } from '@jest/globals';
import type { LogEntry } from '../../../src/sse/log/event-log.js';
import { gapEvent, originOf, publishedEvent } from '../../../src/sse/log/published-event.js';
import type { Gap, SseEvent, SseEventInput } from '../../../src/sse/log/sse-event.js';
import { sharedBody } from '../../../src/sse/log/stored-event.js';
import { entryAt, stored } from '../stored-events.js';

const log = { has: () => true };
const ID = '7.m7hash';
const entryOf = (event: SseEventInput): LogEntry => entryAt(7, stored(event));
const published = (event: SseEventInput): SseEvent => publishedEvent('news', log, entryOf(event), 'hash');
const withoutIds = (event: SseEventInput): SseEvent => publishedEvent('news', log, entryOf(event), undefined);

describe('an event as subscribers see it', () => {
  it('names its channel, its id, its type and everything that it was published with', () => {
    const event = published({ type: 'price', data: { at: 7 }, retry: 5, comment: 'c' });
    expect({ ...event }).toEqual({
      channel: 'news',
      id: ID,
      type: 'price',
      data: { at: 7 },
      retry: 5,
      comment: 'c',
    });
  });

  it('has no field that it was published without', () => {
    expect(published({ data: 1 })).not.toHaveProperty('type');
    expect(published({ data: 1 })).not.toHaveProperty('retry');
    expect(published({ data: 1 })).not.toHaveProperty('comment');
    expect(withoutIds({ data: 1 })).not.toHaveProperty('id');
  });

  it('has its publisher’s own id where the hub makes none', () => {
    expect(withoutIds({ data: 1, id: 'mine' }).id).toBe('mine');
  });

  it('is one and the same object for all of them', () => {
    const entry = entryOf({ data: { a: 1 } });
    expect(publishedEvent('news', log, entry, 'hash')).toBe(publishedEvent('news', log, entry, 'hash'));
  });

  it('cannot be changed by one of them for the others', () => {
    const event = published({ type: 'a', data: { list: [{ deep: true }] } });
    expect(() => Object.assign(event, { type: 'b' })).toThrow(TypeError);
    expect(() => Object.assign(event, { data: 1 })).toThrow(TypeError);
    expect(() => (event.data.list[0].deep = false)).toThrow(TypeError);
    expect(() => event.data.list.push(1)).toThrow(TypeError);
    expect(() => Object.assign(event.data, { more: 1 })).toThrow(TypeError);
  });
});

describe('the data of an event', () => {
  it('is the JSON form of what was published, not the object itself', () => {
    const data = { at: new Date(0), none: undefined, list: [undefined, NaN] };
    expect(published({ data }).data).toEqual({ at: '1970-01-01T00:00:00.000Z', list: [null, null] });
  });

  it('is a text as it was, also one that looks like JSON, with its line ends as a client has them', () => {
    expect(published({ data: '{"a":1}' }).data).toBe('{"a":1}');
    expect(published({ data: 'a\r\nb' }).data).toBe('a\nb');
  });

  it('is any JSON value when that was published', () => {
    for (const data of [null, false, 0, 1.5, [], {}]) {
      expect(published({ data }).data).toEqual(data);
    }
  });

  it('is an empty text when there was a type and no data', () => {
    expect(published({ type: 'ping' }).data).toBe('');
  });

  it('is undefined when there was only a comment', () => {
    expect(published({ comment: 'c' }).data).toBeUndefined();
  });

  it('is parsed when it is first read, and not before', () => {
    const entry = entryOf({ data: 1 });
    const broken: LogEntry = { ...entry, event: { ...entry.event, data: '{' } };
    const event = publishedEvent('news', log, broken, 'hash');
    expect(() => event.data).toThrow(SyntaxError);
  });

  it('is parsed once', () => {
    const event = published({ data: { a: [] } });
    expect(event.data).toBe(event.data);
    expect({ ...event }.data).toBe(event.data);
  });

  it('is there in a copy that an operator makes', () => {
    const copy = { ...published({ data: { a: 1 } }), type: 'mine' };
    expect(copy).toMatchObject({ id: ID, type: 'mine', data: { a: 1 } });
    expect(JSON.parse(JSON.stringify(published({ data: { a: 1 } })))).toMatchObject({ data: { a: 1 } });
  });

  it('may have keys that mean something else to an object', () => {
    const data: unknown = JSON.parse('{"__proto__":{"a":1},"constructor":2}');
    const seen = published({ data }).data;
    expect(Object.keys(seen)).toEqual(['__proto__', 'constructor']);
    expect(Object.getPrototypeOf(seen)).toBe(Object.prototype);
  });
});

describe('the bytes of an event', () => {
  it('are known of the very event', () => {
    const entry = entryOf({ data: 1 });
    const event = publishedEvent('news', log, entry, 'hash');
    const origin = originOf(event)!;
    expect(Object.fromEntries(Object.entries(origin))).toEqual({
      channel: 'news',
      entry,
      log,
      hash: 'hash',
      position: { offset: 7, mark: entry.mark },
    });
    expect(origin.event).toBe(event);
    expect(origin.body).toBe(sharedBody(entry.event));
  });

  it('are not those of a copy, which may say something else', () => {
    expect(originOf({ ...published({ data: 1 }), data: 2 })).toBeUndefined();
    expect(originOf(Object.create(published({ data: 1 })))).toBeUndefined();
  });
});

describe('a gap as an event', () => {
  const gap: Gap = {
    channel: 'news',
    reason: 'evicted',
    requested: '1.ahash',
    oldest: '5.bhash',
    latest: '9.chash',
  };

  it('has the type gap, the position before what is left, and all that is known of it', () => {
    expect(gapEvent(gap, '4.dhash')).toEqual({ channel: 'news', id: '4.dhash', type: 'gap', data: gap });
  });

  it('has no id where there are none, and cannot be changed', () => {
    const event = gapEvent(gap, undefined);
    expect(event).not.toHaveProperty('id');
    expect([Object.isFrozen(event), Object.isFrozen(event.data)]).toEqual([true, true]);
  });
});
