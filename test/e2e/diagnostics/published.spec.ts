import { describe, expect, it } from '@jest/globals';
import { startSseApp } from '../../support/sse-app.js';
import { instanceOf, Told } from './told.js';

describe('channel:published', () => {
  it('tells of the calls that ended in a turn, once for each channel', async () => {
    const { app, hub } = await startSseApp();
    const told = Told.of({ app }, 'channel:published');
    const calls = [
      ...[1, 2, 3].map((n) => hub.publish('news', { data: n })),
      hub.publish('other', { data: 4 }),
      hub.publish('news', {}).catch(() => ''),
    ];
    await Promise.all(calls);
    const [news, other] = [await told.next('channel:published'), await told.next('channel:published')];
    const bytes = 3 * 'data: 1\n\n'.length;
    expect(news).toMatchObject({
      hub: instanceOf({ app }),
      channel: 'news',
      definition: undefined,
      published: 3,
      bytes,
    });
    expect(news.failures).toEqual(new Map([['INVALID_EVENT', 1]]));
    expect(news.duration.min).toBeGreaterThan(0);
    expect(news.duration.max).toBeGreaterThanOrEqual(news.duration.min);
    expect(other).toMatchObject({ channel: 'other', published: 1, failures: new Map() });
    expect(hub.stats().published).toBe(4);
  });
});
