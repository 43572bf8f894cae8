import { describe, expect, it } from '@jest/globals';
import { adapters } from '../../support/adapters.js';
import { untilConnections } from '../../support/sse-app.js';
import { answerTo } from '../../support/open-stream.js';
import { denied } from './denied.js';
import { pathOf, startRoomsApp } from './rooms-app.js';

describe.each(adapters)('a guarded stream (%s)', (adapter) => {
  it('is opened, or not, by ordinary guards: 401, 403', async () => {
    const { url, openAt, answerAt, rooms, hub } = await startRoomsApp({ adapter });
    const path = pathOf(['rooms/ann']);
    expect(await answerTo(url + path)).toMatchObject({ status: 401 });
    expect(await answerAt(path, 'mallory')).toMatchObject({ status: 403 });
    expect(rooms.asked).toEqual([]);
    const { status, headers } = await openAt(path, 'ann');
    expect([status, headers['content-type']]).toEqual([200, expect.stringContaining('text/event-stream')]);
    await untilConnections(hub, 1);
  });

  it('is asked for with its parameters, who asks, and the request that the guard has seen', async () => {
    const { open, rooms } = await startRoomsApp({ adapter });
    await open('ann', 'rooms/ann%2F7');
    expect(rooms.asked).toEqual([
      { channel: 'rooms/ann%2F7', params: { room: 'ann/7' }, user: 'ann', request: expect.anything() },
    ]);
    const { request } = rooms.asked[0]!;
    expect(request.user).toEqual({ name: 'ann' });
    expect(request.url).toBe(pathOf(['rooms/ann%2F7']));
  });

  it('is answered with 403 where nothing is granted, in the form of other errors, and nobody is told more', async () => {
    const { answer, hub } = await startRoomsApp({ adapter });
    await hub.publish('rooms/bob', { data: 'secret' });
    for (const channels of [['rooms/bob'], ['rooms/bob', 'rooms/carol']]) {
      const { status, body } = await answer('ann', ...channels);
      expect([status, body]).toMatchObject([403, { statusCode: 403, error: 'Forbidden' }]);
      expect(JSON.stringify(body)).not.toMatch(/bob|secret/);
    }
    await untilConnections(hub, 0);
  });

  it('of Nest is told in the stream where its head was sent before, and has no event of the channel', async () => {
    const { openAt, rooms, hub } = await startRoomsApp({ adapter, sse: { replay: 'all' } });
    let decide: (answer: boolean) => void = () => undefined;
    rooms.answer = () => new Promise((resolve) => (decide = resolve));
    await hub.publish('rooms/bob', { data: 'secret' });
    const client = await openAt(pathOf(['rooms/bob'], '/stock'), 'ann');
    expect(client.status).toBe(200);
    decide(false);
    expect(await client.rest()).toMatchObject([
      denied('rooms/bob'),
      { type: 'error', id: undefined, text: 'None of these channels may be streamed.' },
    ]);
    await untilConnections(hub, 0);
  });

  // No adapter has a hand in what follows.
  if (adapter !== 'express') return;

  it('is answered with 403 on a resume as well', async () => {
    const { openAt, answerAt, hub } = await startRoomsApp({ adapter });
    const id = await hub.publish('rooms/bob', { data: 'secret' });
    const after = id.replace(/\d+$/, '0');
    const { status, body } = await answerAt(pathOf(['rooms/bob']), 'ann', after);
    expect(status).toBe(403);
    expect(JSON.stringify(body)).not.toContain('secret');
    expect((await openAt(pathOf(['rooms/bob']), 'bob', after)).status).toBe(200);
  });

  it('opens where something is granted, and names each channel that is not', async () => {
    const { open, hub } = await startRoomsApp({ adapter });
    const client = await open('ann', 'rooms/bob', 'rooms/ann', 'rooms/carol');
    expect(client.status).toBe(200);
    expect(await client.take(2)).toMatchObject([denied('rooms/bob'), denied('rooms/carol')]);
    await hub.publish('rooms/bob', { data: 'secret' });
    await hub.publish('rooms/carol', { data: 'secret' });
    await hub.publish('rooms/ann', { data: 'yours' });
    expect(await client.next()).toMatchObject({ text: 'yours' });
    expect((await hub.connections())[0]).toMatchObject({ channels: ['rooms/ann'], user: 'ann' });
    expect(await hub.subscriberCount('rooms/bob')).toBe(0);
  });

  it('opens where nobody is asked for one of its channels', async () => {
    const { open, rooms } = await startRoomsApp({ adapter });
    const client = await open('ann', 'rooms/bob', 'news');
    expect(client.status).toBe(200);
    expect(await client.next()).toMatchObject(denied('rooms/bob'));
    expect(rooms.asked).toHaveLength(1);
  });

  it('names a channel that is not granted also where all others are over', async () => {
    const { open, hub } = await startRoomsApp({ adapter });
    await hub.publish('rooms/ann', { data: 'yours' });
    await hub.complete('rooms/ann');
    const client = await open('ann', 'rooms/ann', 'rooms/bob');
    expect([client.status, await client.rest()]).toMatchObject([200, [denied('rooms/bob')]]);
  });

  it('gives nothing of the past of a channel that is denied, wherever its client says that it was', async () => {
    const { openAt, hub } = await startRoomsApp({ adapter, sse: { replay: 'all' } });
    const [secret, yours] = [
      await hub.publish('rooms/bob', { data: 'secret' }),
      await hub.publish('rooms/ann', { data: 'yours' }),
    ].map((id) => id.replace(/\d+$/, '0'));
    const ids = [undefined, secret, `rooms%2Fbob=${secret}&rooms%2Fann=${yours}`, `rooms%2Fbob=${secret}`];
    for (const id of ids) {
      const client = await openAt(pathOf(['rooms/bob', 'rooms/ann']), 'ann', id);
      await hub.publish('rooms/ann', { data: 'last' });
      const events = await client.until(({ text }) => text === 'last');
      expect(events.map(({ text }) => text)).not.toContain('secret');
      // An authoriser may fail for the moment: what its client came with is said again, and nothing newer.
      const told = client.raw;
      for (const [, position] of told.matchAll(/rooms%2Fbob=([^&\s]+)/g)) expect(position).toBe(secret);
      client.close();
    }
  });

  it('of Nest goes on with what is granted', async () => {
    const { openAt, hub } = await startRoomsApp({ adapter });
    const client = await openAt(pathOf(['rooms/bob', 'rooms/ann'], '/stock'), 'ann');
    expect(await client.next()).toMatchObject(denied('rooms/bob'));
    await hub.publish('rooms/bob', { data: 'secret' });
    await hub.publish('rooms/ann', { data: 'yours' });
    expect(await client.next()).toMatchObject({ text: 'yours' });
  });
});
