import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { TestStream } from '../../../src/sse/testing/index.js';
import { eventually } from '../../support/eventually.js';
import { timers } from '../../support/fake-timers.js';
import { listen } from '../../support/open-stream.js';
import { bootApp, get, post, type BootedApp } from './booted-app.js';

// So that a time of grace is over when a test says so.
let booted: BootedApp;
beforeAll(async () => {
  jest.useFakeTimers(timers);
  booted = await bootApp();
});
afterAll(async () => {
  jest.useRealTimers();
  await booted.app.close();
});

let rooms = 0;
const newRoom = () => `${booted.url}/chat/rooms/room-${++rooms}`;

const enter = (room: string, name?: string) =>
  listen(`${room}/messages${name === undefined ? '' : `?name=${encodeURIComponent(name)}`}`);

const next = async (stream: TestStream) => {
  const { type, data } = await stream.next();
  return [type, data];
};

const people = async (room: string) => {
  const { body } = await get(`${room}/people`);
  return (body as { user: string; connections: number }[]).map(({ user, connections }) => [
    user,
    connections,
  ]);
};

describe('GET /chat/rooms/:room/people', () => {
  it('names who is there, each once, and nobody who has said no name', async () => {
    const room = newRoom();
    await enter(room);
    for (const name of ['Mira', 'Jonas', ' Mira ']) await enter(room, name);
    await eventually(async () => (await people(room)).length === 2);
    await eventually(async () => JSON.stringify(await people(room)) === '[["Mira",2],["Jonas",1]]');
    expect(await people(newRoom())).toEqual([]);
  });
});

describe('the stream of a room', () => {
  it('says who comes, who types and who goes, but to nobody who comes later', async () => {
    const room = newRoom();
    const mira = await enter(room, 'Mira');
    expect(await next(mira)).toEqual(['join', { user: 'Mira' }]);
    const jonas = await enter(room, 'Jonas');
    expect(await next(mira)).toEqual(['join', { user: 'Jonas' }]);
    expect((await fetch(`${room}/typing`, typing({ from: ' Jonas ' }))).status).toBe(204);
    expect(await next(mira)).toEqual(['typing', { from: 'Jonas' }]);
    await post(`${room}/messages`, { from: 'Jonas', text: 'hello' });
    expect(await next(mira)).toMatchObject(['message', { text: 'hello' }]);
    jonas.close();
    await eventually(() => booted.hub.stats().connections === 1);
    await jest.advanceTimersByTimeAsync(5_000);
    expect(await next(mira)).toEqual(['leave', { user: 'Jonas' }]);

    expect(await next(await enter(room))).toMatchObject(['message', { text: 'hello' }]);
    expect(await people(room)).toEqual([['Mira', 1]]);
  });

  it('refuses odd names', async () => {
    const cases = [
      ['?name=', 'name must not be empty'],
      ['?name=%20', 'name must not be empty'],
      ['?name=a&name=b', 'name must be a string'],
      [`?name=${'x'.repeat(41)}`, 'name must not be longer than 40 characters'],
    ] as const;
    for (const [query, message] of cases) {
      const { status, body } = await get(`${newRoom()}/messages${query}`);
      expect({ status, body }).toMatchObject({ status: 400, body: { message } });
    }
  });
});

const typing = (body: unknown): RequestInit => ({
  method: 'POST',
  headers: { 'Content-Type': 'application/json' },
  body: JSON.stringify(body),
});

describe('POST /chat/rooms/:room/typing', () => {
  it('refuses odd names', async () => {
    const cases = [
      [{}, 'from is missing'],
      [{ from: 7 }, 'from must be a string'],
      [{ from: ' ' }, 'from must not be empty'],
      [{ from: 'x'.repeat(41) }, 'from must not be longer than 40 characters'],
    ] as const;
    for (const [body, message] of cases) {
      expect(await post(`${newRoom()}/typing`, body)).toMatchObject({ status: 400, body: { message } });
    }
  });
});
