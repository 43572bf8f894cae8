import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { defineChannel, SseModule } from '../../../src/sse/index.js';
import type { PipeFailure, PipeOptions, SseHub } from '../../../src/sse/index.js';
import { startSseApp, type SseAppOptions } from '../../support/sse-app.js';
import { listen } from '../../support/open-stream.js';
import { LogRecorder } from '../http/log-recorder.js';
import { Feed } from '../streams/feed.js';

const start = async (options: SseAppOptions = {}) => {
  const log = new LogRecorder();
  const routes = { a: (hub: SseHub) => hub.stream('a', { replay: 'all' }) };
  const app = await startSseApp({ routes, configure: (app) => app.useLogger(log), ...options });
  return { ...app, log };
};
const kept = async (hub: SseHub): Promise<unknown[]> =>
  (await hub.history('a')).events.map(({ type, data }) => ({ type, data }));
const failing = (error = new Error('secret')): Feed => {
  const feed = new Feed();
  setImmediate(() => feed.fail(error));
  return feed;
};

describe('the option "error" of pipe()', () => {
  it('forms the last event, and is told each reason', async () => {
    const { hub, url, close } = await start();
    const told: PipeFailure[] = [];
    const error = (failure: PipeFailure) => {
      told.push(failure);
      return { data: { error: failure.message } };
    };
    const secret = new Error('secret');
    await expect(hub.pipe('a', failing(secret), { error })).rejects.toBe(secret);
    const aborted = new Error('enough');
    const signal = AbortSignal.abort(aborted);
    await expect(hub.pipe('b', new Feed(), { error, signal })).rejects.toBe(aborted);
    const abandoned = hub.pipe('c', new Feed(), { error, abandonAfter: 1 });
    await expect(abandoned).rejects.toMatchObject({ code: 'PIPE_ABANDONED' });
    const client = await listen(`${url}/a`);
    expect(await client.rest()).toMatchObject([
      { type: 'message', text: '{"error":"Internal server error"}' },
    ]);
    const closing = expect(hub.pipe('d', new Feed(), { error })).rejects.toMatchObject({
      code: 'HUB_CLOSED',
    });
    await close();
    await closing;
    // At the start of each, for the case that the process ends, and at the end.
    const lost = { reason: 'lost', message: 'Lost', error: expect.objectContaining({ code: 'PIPE_LOST' }) };
    expect(told).toEqual([
      lost,
      { reason: 'failed', message: 'Internal server error', error: secret },
      { reason: 'stopped', message: 'Stopped', error: aborted },
      lost,
      {
        reason: 'abandoned',
        message: 'Abandoned',
        error: expect.objectContaining({ code: 'PIPE_ABANDONED' }),
      },
      lost,
      { reason: 'closing', message: 'Closing', error: expect.objectContaining({ code: 'HUB_CLOSED' }) },
    ]);
  });

  it('may be an event of the type "error" with any data, or none at all', async () => {
    const { hub } = await start();
    const data = { type: 'error', errorText: 'Overloaded' };
    await hub.pipe('a', failing(), { error: () => ({ type: 'error', data }) }).catch(() => undefined);
    expect(await kept(hub)).toEqual([{ type: 'error', data }]);
    await hub.purge('a');
    await hub.pipe('b', failing(), { error: () => undefined }).catch(() => undefined);
    expect((await hub.history('b')).events).toEqual([]);
    await expect(hub.publish('b', { data: 'x' })).rejects.toMatchObject({ code: 'CHANNEL_COMPLETED' });
  });

  it('is checked like any event of the channel', async () => {
    const A = defineChannel('a', { events: { end: z.object({ code: z.coerce.number() }) } });
    const { hub } = await start({ imports: [SseModule.forFeature([A])] });
    const error = () => ({ type: 'end', data: { code: '5' } });
    await hub.pipe('a', failing(), { error, complete: false }).catch(() => undefined);
    expect(await kept(hub)).toEqual([{ type: 'end', data: { code: 5 } }]);
  });

  it.each([
    [
      'throws',
      () => {
        throw new Error('broken');
      },
      /broken|gives no event/,
    ],
    ['gives a Promise', async () => ({ data: 'late' }), /gives no event/],
    ['gives what cannot be sent', () => ({ data: 1n }), /gives no event/],
    ['gives another reserved type', () => ({ type: 'gap', data: '' }), /gives no event/],
    ['gives what is too large', () => ({ data: 'x'.repeat(2_000) }), /gives no event/],
  ])('falls back to the default, with a line in the log, when it %s', async (_, error, line) => {
    const { hub, log } = await start({ sse: { maxEventBytes: 1_000 } });
    await hub.pipe('a', failing(), { error } as PipeOptions).catch(() => undefined);
    expect(await kept(hub)).toEqual([{ type: 'error', data: 'Internal server error' }]);
    // At the start too, where a mistake is seen before it matters.
    expect(log.entries.filter(({ level, text }) => level === 'error' && line.test(text))).toHaveLength(2);
  });
});
