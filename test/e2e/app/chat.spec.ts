import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { EventSource } from 'eventsource';
import { listen } from '../../support/open-stream.js';
import type { TestEvent } from '../../../src/sse/testing/index.js';
import { bootApp, post, type BootedApp } from './booted-app.js';

let booted: BootedApp;
beforeAll(async () => {
  booted = await bootApp();
});
afterAll(() => booted.app.close());

let rooms = 0;
const newRoom = () => `room-${++rooms}`;
const path = (room: string) => `${booted.url}/chat/rooms/${room}/messages`;
const say = (room: string, text: string, from = 'Mira') => post(path(room), { from, text });
const textsOf = (events: TestEvent[]) => events.map(({ data }) => data.text);

describe('POST /chat/rooms/:room/messages', () => {
  it('answers 201 with the stored message, which is what the room gets', async () => {
    const room = newRoom();
    const { status, body } = await post(path(room), { from: '  Mira ', text: '\n hello  there ' });
    expect(status).toBe(201);
    expect(body).toEqual({
      id: expect.stringMatching(/^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/),
      room,
      from: 'Mira',
      text: 'hello  there',
      sentAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    });

    expect((await (await listen(path(room))).next()).data).toEqual(body);
  });

  it('takes what is just short enough', async () => {
    expect((await say(newRoom(), 'x'.repeat(2_000), 'y'.repeat(40))).status).toBe(201);
  });

  const from = 'Mira';
  const text = 'hello';
  it('refuses messages without what they need with a 400 that names the field', async () => {
    const cases = [
      ['no from', { text }, 'from is missing'],
      ['no text', { from }, 'text is missing'],
      ['an empty from', { from: '', text }, 'from must not be empty'],
      ['a blank text', { from, text: ' \n\t ' }, 'text must not be empty'],
      ['a from that is no string', { from: 7, text }, 'from must be a string'],
      ['a text that is no string', { from, text: ['hello'] }, 'text must be a string'],
      ['a text that is null', { from, text: null }, 'text must be a string'],
      ['a long from', { from: 'x'.repeat(41), text }, 'from must not be longer than 40 characters'],
      ['a long text', { from, text: 'x'.repeat(2_001) }, 'text must not be longer than 2000 characters'],
      ['a list', [], 'from is missing'],
      ['nothing', '', 'from is missing'],
    ] as const;
    for (const [_, body, message] of cases) {
      const room = newRoom();
      expect(await post(path(room), body)).toMatchObject({ status: 400, body: { message } });

      await say(room, 'the first');
      const reader = await listen(path(room));
      expect((await reader.next()).data.text).toBe('the first');
    }
  });

  it('refuses a body that is too large with a 413 in JSON', async () => {
    expect(await say(newRoom(), 'x'.repeat(200_000))).toMatchObject({
      status: 413,
      body: { statusCode: 413 },
    });
  });
});

describe('GET /chat/rooms/:room/messages', () => {
  it('gives the history first, then what is being said, to everybody', async () => {
    const room = newRoom();
    await say(room, 'one');
    await say(room, 'two');
    const readers = [await listen(path(room)), await listen(path(room))];
    await say(room, 'three');
    for (const reader of readers) {
      expect(reader.headers['content-type']).toBe('text/event-stream');
      const events = await reader.take(3);
      expect(textsOf(events)).toEqual(['one', 'two', 'three']);
      expect(events.map(({ type }) => type)).toEqual(['message', 'message', 'message']);
    }
  });

  it('keeps rooms apart', async () => {
    const [here, there] = [newRoom(), newRoom()];
    const reader = await listen(path(here));
    await say(there, 'elsewhere');
    await say(here, 'here');
    expect(textsOf(await reader.take(1))).toEqual(['here']);
  });

  it('resumes after the last event that a client had', async () => {
    const room = newRoom();
    for (const text of ['one', 'two', 'three']) await say(room, text);
    const reader = await listen(path(room));
    const [, second] = await reader.take(2);
    reader.close();

    await say(room, 'four');
    const byHeader = await listen(path(room), { lastEventId: second!.id! });
    expect(textsOf(await byHeader.take(2))).toEqual(['three', 'four']);
    const byQuery = await listen(`${path(room)}?lastEventId=${encodeURIComponent(second!.id!)}`);
    expect(textsOf(await byQuery.take(2))).toEqual(['three', 'four']);
  });

  it('tells a client that there is a gap when the room has forgotten what it missed', async () => {
    const room = newRoom();
    await say(room, 'first');
    const reader = await listen(path(room));
    await reader.next();
    reader.drop();
    for (let count = 1; count <= 201; count++) await say(room, `message ${count}`);

    await reader.resume();
    const [gap, oldest] = await reader.take(2);
    expect(gap).toMatchObject({ type: 'gap', data: { channel: `chat/${room}`, reason: 'evicted' } });
    expect(oldest!.data.text).toBe('message 2');
  });

  it('an EventSource whose connection breaks misses nothing and gets nothing twice', async () => {
    const room = newRoom();
    await say(room, 'before');
    const source = new EventSource(path(room));
    const texts: string[] = [];
    const heard = (text: string) =>
      new Promise<void>((resolve) => {
        source.addEventListener('message', ({ data }) => {
          if (JSON.parse(data).text === text) resolve();
        });
      });
    source.addEventListener('message', ({ data }) => texts.push(JSON.parse(data).text));
    await heard('before');

    const meanwhile = heard('meanwhile');
    expect(await booted.hub.disconnect({ channel: `chat/${room}` })).toEqual({ ended: 1, away: [] });
    await say(room, 'meanwhile');
    await meanwhile;
    const after = heard('after');
    await say(room, 'after');
    await after;
    expect(texts).toEqual(['before', 'meanwhile', 'after']);
    source.close();
  });

  it('refuses rooms with odd names, by a 400 before the stream starts', async () => {
    const cases = ['a%20b', 'caf%C3%A9', 'a%2Fb', '..%2f..', 'x'.repeat(65), 'a.b', '%00', '%'];
    for (const room of cases) {
      const response = await fetch(path(room));
      expect(response.status).toBe(400);
      expect(response.headers.get('content-type')).toMatch(/^application\/json/);
      expect((await say(room, 'hello')).status).toBe(400);
    }
  });

  it('takes rooms of letters, digits, _ and -', async () => {
    for (const room of ['x', 'Some_Room-2', 'x'.repeat(64)]) {
      expect((await say(room, 'hello')).status).toBe(201);
    }
  });
});
