import { describe, expect, it } from '@jest/globals';
import { channelKey, merged, type ChannelRow } from '../../../src/sse/inspector/channel-rows.js';

const row = (name: string, subscribers: number, head?: number): ChannelRow => ({
  ...{ name, definition: undefined, subscribers },
  log:
    head === undefined
      ? undefined
      : { events: head, bytes: 10 * head, oldestAt: 1, newestAt: 2, rate: 3, head, state: 'open' },
});

describe('the rows of several instances', () => {
  it('are one for each channel, with the log of the one that has read most of it', () => {
    const [old, recent, none] = [row('a', 1, 3), row('a', 2, 5), row('a', 4)];
    const whole = { ...recent, subscribers: 7 };
    for (const rows of [
      [old, recent, none],
      [recent, none, old],
      [none, old, recent],
    ])
      expect(merged(rows)).toEqual([whole]);
    expect(merged([row('b', 1), row('a', 2), row('b', 3)])).toEqual([row('b', 4), row('a', 2)]);
  });

  it('are sorted by what they show, without a log as if it were empty', () => {
    expect(channelKey(row('a', 4, 5), 'name')).toBe('a');
    expect(channelKey(row('a', 4, 5), 'subscribers')).toBe(4);
    expect(channelKey(row('a', 4, 5), 'rate')).toBe(3);
    expect(channelKey(row('a', 4, 5), 'events')).toBe(5);
    expect(channelKey(row('a', 4, 5), 'bytes')).toBe(50);
    expect(channelKey(row('a', 4), 'bytes')).toBe(0);
  });
});
