import { ForbiddenException } from '@nestjs/common';
import { describe, expect, it, jest } from '@jest/globals';
import { interval, of } from 'rxjs';
import type { Identity } from '../../../src/sse/index.js';
import type { TestStream } from '../../../src/sse/testing/index.js';
import { adapters } from '../../support/adapters.js';
import { whenTestEnds } from '../../support/clean-up.js';
import { onlyDate } from '../../support/fake-timers.js';
import { startSseApp, untilConnections } from '../../support/sse-app.js';
import type { RouteRequest, SseApp } from '../../support/sse-app.js';
import { answerTo, listen } from '../../support/open-stream.js';
import { pathOf, startRoomsApp } from './rooms-app.js';

/** Longer than a timer of Node takes: a month. */
const A_MONTH = 31 * 24 * 3_600_000;
const AN_HOUR = 3_600_000;

describe.each(adapters)('who a client is (%s)', (adapter) => {
  const known = (
    identify: (request: RouteRequest) => unknown,
  ): Promise<SseApp & { called: () => number }> => {
    let calls = 0;
    const routes = {
      events: (hub: SseApp['hub']) => {
        calls++;
        return hub.stream('news');
      },
      plain: () => {
        calls++;
        return of('plain');
      },
      endless: () => interval(1),
    };
    // Nobody is asked for a channel here.
    const sse = { identify: identify as never, heartbeat: 0, strictHandlers: false };
    return startSseApp({ adapter, routes, sse }).then((app) => ({
      ...app,
      called: () => calls,
    }));
  };

  it.each<[string, () => unknown, number]>([
    [
      'an error of HTTP',
      () => {
        throw new ForbiddenException('You are banned.');
      },
      403,
    ],
    ['an error of HTTP, later', () => Promise.reject(new ForbiddenException('You are banned.')), 403],
    ['another error', () => Promise.reject(new Error('the database is away')), 500],
    ['what is over', () => ({ user: 'ann', expiresAt: Date.now() - 1 }), 401],
    ['what is over, later', async () => ({ user: 'ann', expiresAt: new Date(0) }), 401],
    ['a user without a name', () => ({ user: '' }), 500],
    ['a user that is no text', () => ({ user: 7 }), 500],
    ['no identity', () => 'ann', 500],
    ['null', () => null, 500],
    ['a time that is none', () => ({ user: 'ann', expiresAt: NaN }), 500],
    ['a time that is a text', () => ({ user: 'ann', expiresAt: '2099-01-01' }), 500],
    ['something misnamed', () => ({ user: 'ann', expires: 1 }), 500],
  ])('is an HTTP error where it is %s, and the method is not called', async (_, identify, status) => {
    const { url, hub, called } = await known(identify);
    for (const path of ['events', 'plain']) {
      expect((await answerTo(`${url}/${path}`)).status).toBe(status);
    }
    expect(called()).toBe(0);
    await untilConnections(hub, 0);
  });

  it('is waited for before the method is called, and a client that leaves leaves nothing behind', async () => {
    let decide: (identity: Identity) => void = () => undefined;
    const { url, hub, called } = await known(() => new Promise((resolve) => (decide = resolve)));
    const opening = listen(`${url}/endless`);
    await untilConnections(hub, 1);
    expect(called()).toBe(0);
    expect(await hub.disconnect({})).toEqual({ ended: 1, away: [] });
    expect(await (await opening).rest()).toEqual([]);
    decide({ user: 'ann', expiresAt: Date.now() + 60_000 });
    await untilConnections(hub, 0);
    expect(process.getActiveResourcesInfo()).not.toContain('Immediate');
  });

  // No adapter has a hand in what follows.
  if (adapter !== 'express') return;

  it.each<[string, () => unknown]>([
    ['at once', () => ({ user: 'ann' })],
    ['later', () => Promise.resolve({ user: 'ann', info: { name: 'Ann' } })],
  ])('may be said %s, and is part of what is known of its connection', async (_, identify) => {
    const { url, hub } = await known(identify);
    await listen(`${url}/events`);
    await untilConnections(hub, 1);
    expect(await hub.connections({ user: 'ann' })).toHaveLength(1);
    expect(await hub.connections({ user: 'bob' })).toEqual([]);
    expect((await hub.connections())[0]).toMatchObject({ user: 'ann' });
  });

  it('nobody may be: then nobody is asked for', async () => {
    const { url, hub } = await known(() => undefined);
    await listen(`${url}/events`);
    await untilConnections(hub, 1);
    expect((await hub.connections())[0]).not.toHaveProperty('user');
  });

  it.each<[string, (at: number) => unknown]>([
    ['milliseconds', (at) => ({ user: 'ann', expiresAt: at })],
    ['a Date, later', async (at) => ({ user: 'ann', expiresAt: new Date(at) })],
  ])(
    'holds until it expires, as %s: what was published comes first, then that it is over, and the end',
    async (_, of) => {
      const { url, hub } = await known(() => of(Date.now() + 300));
      const client = await listen(`${url}/events`);
      const published = hub.publish('news', { data: 'x' });
      expect(await client.rest()).toMatchObject([
        expect.objectContaining({ text: 'x' }),
        { type: 'expired', id: undefined, text: '{}' },
      ]);
      await published;
      expect(await client.ended()).toBe('ended');
      await untilConnections(hub, 0);
    },
  );

  it.each([A_MONTH, Infinity])('may hold for longer than a timer of Node takes', async (time) => {
    const { url, hub } = await known(() => ({ user: 'ann', expiresAt: Date.now() + time }));
    const timers = jest.spyOn(globalThis, 'setTimeout');
    whenTestEnds(() => timers.mockRestore());
    const client = await listen(`${url}/events`);
    await hub.publish('news', { data: 'x' });
    expect(await client.next()).toMatchObject({ text: 'x' });
    // One that is longer would be over at once, again and again.
    const times = timers.mock.calls.map(([, milliseconds = 0]) => milliseconds);
    expect(Math.max(...times)).toBeLessThanOrEqual(2_147_483_647);
  });

  it('is over when the wall clock says so, also where that was set forward meanwhile', async () => {
    jest.useFakeTimers(onlyDate);
    whenTestEnds(() => jest.useRealTimers());
    const { url, hub } = await known(({ headers }) => ({
      user: headers['user'],
      expiresAt: Date.now() + Number(headers['time']),
    }));
    const open = (user: string, time: number): Promise<TestStream> =>
      listen(`${url}/events`, { headers: { user, time: String(time) } });
    const [ann, bob] = [await open('ann', AN_HOUR), await open('bob', A_MONTH)];
    jest.setSystemTime(Date.now() + AN_HOUR);
    expect(await ann.rest()).toMatchObject([{ type: 'expired', id: undefined, text: '{}' }]);
    await untilConnections(hub, 1);
    await hub.publish('news', { data: 'x' });
    expect(await bob.next()).toMatchObject({ text: 'x' });
  });
});

describe('a stream that has expired', () => {
  it('has no event after that it has', async () => {
    const { open, hub } = await startRoomsApp({
      sse: { identify: () => ({ user: 'ann', expiresAt: Date.now() + 100 }) },
    });
    const client = await open('ann', 'rooms/ann', 'news');
    const publishing = setInterval(() => void hub.publish('news', { data: 'x' }), 1);
    const events = await client.rest();
    clearInterval(publishing);
    expect(events.findIndex(({ type }) => type === 'expired')).toBe(events.length - 1);
  });

  it('of Nest is told in the stream that who asks is unknown, where that comes late', async () => {
    const { openAt, hub } = await startRoomsApp({
      sse: {
        identify: () =>
          new Promise((_, reject) => setTimeout(() => reject(new ForbiddenException('You are banned.')), 20)),
      },
    });
    const client = await openAt(pathOf(['rooms/ann'], '/stock'), 'ann');
    expect(await client.rest()).toMatchObject([{ type: 'error', id: undefined, text: 'You are banned.' }]);
    await untilConnections(hub, 0);
  });
});
