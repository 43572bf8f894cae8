import { describe, expect, it } from '@jest/globals';
import { map } from 'rxjs';
import type { SseHub } from '../../../src/sse/index.js';
import { startSseApp } from '../../support/sse-app.js';
import { listen } from '../../support/open-stream.js';

const LARGE = 'x'.repeat(40_000);

describe('a channel that waits for room in the response', () => {
  it('reads on although another channel, whose log lets go of events, has made the room', async () => {
    const routes = { both: (hub: SseHub) => hub.stream(['a', 'b']) };
    const { url, hub } = await startSseApp({ routes, sse: { history: { count: 3 } } });
    const client = await listen(`${url}/both`);
    // In the turn in which the response is full, after `a` was read and before it is written.
    hub.stream('c').subscribe(() => {
      for (let i = 0; i < 4; i++) void hub.publish('b', { data: `b${i}` });
    });
    await hub.publish('b', { data: 'first' });
    await client.next();
    for (const data of ['1', '2', '3']) void hub.publish('a', { data: data + LARGE });
    void hub.publish('c', { data: 'now' });
    const events = await client.take(7);
    expect(events.map(({ text }) => text.slice(0, 2)).sort()).toEqual(
      ['1x', '2x', '3x', 'b0', 'b1', 'b2', 'b3'].sort(),
    );
  });

  it('reads on when the response opens, however little may wait for it', async () => {
    const routes = {
      all: (hub: SseHub) => hub.stream('a', { replay: 'all' }).pipe(map((event) => event)),
    };
    const { url, hub } = await startSseApp({ routes, sse: { limits: { queuedBytes: 100 } } });
    for (let i = 0; i < 5; i++) await hub.publish('a', { data: `${i}`.repeat(90) });
    const client = await listen(`${url}/all`);
    expect((await client.take(5)).map(({ text }) => text[0])).toEqual(['0', '1', '2', '3', '4']);
  });
});
