import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { IncomingMessage } from 'node:http';
import { openStream, streamMatchers } from '../../../src/sse/testing/index.js';
import { timers } from '../../support/fake-timers.js';
import { startSseApp, untilConnections } from '../../support/sse-app.js';

expect.extend(streamMatchers);

beforeEach(() => {
  jest.useFakeTimers(timers);
});
afterEach(() => {
  jest.useRealTimers();
});

const anHour = 3_600_000;

describe('with the time in the hands of the test, over HTTP,', () => {
  it('heartbeats come', async () => {
    const { app } = await startSseApp({ routes: { news: (hub) => hub.stream('news') } });
    const stream = await openStream(app, '/news');
    expect(await stream.nextComment()).toBe('heartbeat 15000');
    for (let beats = 0; beats < 2; beats++) {
      await jest.advanceTimersByTimeAsync(17_000); // a silence may be an eighth longer
      expect(await stream.nextComment()).toBe('');
    }
  });

  it('a channel outlives its last event by its ttl, and no longer', async () => {
    const { hub } = await startSseApp({ sse: { ttl: anHour } });
    await hub.publish('news', { data: 'x' });
    await jest.advanceTimersByTimeAsync(anHour - 1_000);
    expect((await hub.history('news')).events).toHaveLength(1);
    await jest.advanceTimersByTimeAsync(2_000);
    expect((await hub.history('news')).events).toEqual([]);
  });

  it('a member is gone after the grace', async () => {
    const { app, hub } = await startSseApp({
      sse: {
        strictHandlers: false,
        presence: { events: true, grace: 5_000 },
        identify: ({ headers }: IncomingMessage) => ({ user: String(headers['x-user']) }),
      },
      routes: { room: (hub) => hub.stream('room') },
    });
    const ada = await openStream(app, '/room', { headers: { 'x-user': 'ada' } });
    const bob = await openStream(app, '/room', { headers: { 'x-user': 'bob' } });
    await expect(ada).toReceive('join', { user: 'bob' });
    bob.close();
    await untilConnections(hub, 1);
    await jest.advanceTimersByTimeAsync(4_900);
    expect(ada.events.map(({ type }) => type)).not.toContain('leave');
    await jest.advanceTimersByTimeAsync(100);
    await expect(ada).toReceive('leave', { user: 'bob' });
  });

  it('an identity expires', async () => {
    const { app } = await startSseApp({
      sse: { strictHandlers: false, identify: () => ({ user: 'ada', expiresAt: Date.now() + anHour }) },
      routes: { news: (hub) => hub.stream('news') },
    });
    const stream = await openStream(app, '/news');
    await jest.advanceTimersByTimeAsync(anHour);
    await expect(stream).toReceive('expired');
    expect(await stream.ended()).toBe('ended');
  });

  it('a pipe to which nobody listens is abandoned', async () => {
    const { hub } = await startSseApp();
    const piped = hub.pipe(
      'answer',
      { [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => undefined) }) },
      {
        abandonAfter: anHour,
      },
    );
    const failed = expect(piped).rejects.toMatchObject({ code: 'PIPE_ABANDONED' });
    await jest.advanceTimersByTimeAsync(2 * anHour);
    await failed;
  });
});
