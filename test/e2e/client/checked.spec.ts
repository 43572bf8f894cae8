import { describe, expect, it, jest } from '@jest/globals';
import { z } from 'zod';
import { checked, connectChannels, type InvalidEvent } from '../../../src/sse/client/index.js';
import { defineChannel } from '../../../src/sse/index.js';
import { whenTestEnds } from '../../support/clean-up.js';
import { newInbox } from '../../support/inbox.js';
import { startSseApp } from '../../support/sse-app.js';
import { startEndpointApp } from '../endpoint/endpoint-app.js';
import { Connected } from './connecting.js';

// What the page knows of the channels. The server of the tests checks nothing.
const Room = defineChannel('rooms/:room', {
  events: { message: z.object({ text: z.string() }) },
});
const Hall = defineChannel('halls/:hall', {
  events: { message: z.object({ text: z.string() }), day: z.iso.date().transform((day) => new Date(day)) },
});
const Typing = defineChannel('typing/:room', { events: { message: z.string() } });

const start = () =>
  startSseApp({
    routes: { events: (hub) => hub.stream('halls/a') },
    sse: { retry: 1, strictHandlers: false },
  });

describe('a client that checks data', () => {
  it('passes over what its schema does not take, tells of it, and goes on behind it', async () => {
    const { hub, url } = await start();
    const invalid: InvalidEvent[] = [];
    const parse = checked(Hall, (event) => invalid.push(event));
    const connected = new Connected(`${url}/events`, { parse }, ['message', 'day', 'other']);
    await connected.until('open');
    const publish = (type: string, data: unknown) => hub.publish('halls/a', { type, data });
    await publish('message', { text: 'a', more: 1 });
    await publish('day', '2026-11-29');
    await publish('other', 1);
    const id = await publish('message', { text: 7 });
    expect(await connected.take(3)).toEqual([{ text: 'a', more: 1 }, '2026-11-29', 1]);
    await hub.disconnect({});
    await connected.until('open');
    expect(connected.client.lastEventId).toBe(id);
    await publish('message', { text: 'b' });
    expect(await connected.take(1)).toEqual([{ text: 'b' }]);
    expect(invalid).toMatchObject([{ type: 'message', data: { text: 7 }, channel: undefined }]);
    expect(invalid[0]!.issues[0]!.path).toEqual(['text']);
  });

  it('takes the schema of the channel', async () => {
    const { hub, url } = await startEndpointApp();
    const invalid = newInbox<unknown>();
    const parse = checked([Room, Typing], ({ channel, data }) => invalid.push([channel, data]));
    const client = connectChannels(`${url}/events`, { parse });
    whenTestEnds(() => client.close());
    const data = newInbox<unknown>();
    for (const name of ['rooms/a', 'typing/a']) client.channel(name).on('message', (one) => data.push(one));
    await new Promise<void>((resolve) => client.subscribe(() => client.state.kind === 'open' && resolve()));
    for (const name of ['rooms/a', 'typing/a'])
      for (const one of ['text', { text: 'a' }]) await hub.publish(name, { data: one });
    await invalid.until((_, count) => count === 2);
    expect(invalid.all).toEqual([
      ['rooms/a', 'text'],
      ['typing/a', { text: 'a' }],
    ]);
    await data.until((_, count) => count === 2);
    expect(data.all).toEqual([{ text: 'a' }, 'text']);
  });

  it('reports invalid data as what a listener throws, where nobody hears of it', async () => {
    const { hub, url } = await start();
    const thrown: unknown[] = [];
    const queue = jest.spyOn(globalThis, 'queueMicrotask').mockImplementation((task) => {
      try {
        task();
      } catch (error) {
        thrown.push(error);
      }
    });
    whenTestEnds(() => queue.mockRestore());
    const connected = new Connected(`${url}/events`, { parse: checked(Hall) });
    await connected.until('open');
    for (const text of [7, 'a']) await hub.publish('halls/a', { data: { text } });
    expect(await connected.take(1)).toEqual([{ text: 'a' }]);
    expect(String(thrown[0])).toMatch(/"message" is not what its schema takes: .*string/);
  });

  it('fails where a schema is asynchronous, as it could not keep the order', async () => {
    const { hub, url } = await start();
    const Late = defineChannel('halls/:hall', { events: { message: z.string().refine(async () => true) } });
    const connected = new Connected(`${url}/events`, { parse: checked(Late) });
    await connected.until('open');
    await hub.publish('halls/a', { data: 'a' });
    expect(await connected.until('closed')).toMatchObject({
      reason: 'failed',
      error: new Error('The schema of "message" is asynchronous. Arriving events are checked at once.'),
    });
  });
});
