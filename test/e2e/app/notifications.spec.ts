import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { TestStream } from '../../../src/sse/testing/index.js';
import { listen as open } from '../../support/open-stream.js';
import { bootApp, post, type BootedApp } from './booted-app.js';

describe('notifications', () => {
  let booted: BootedApp;
  beforeAll(async () => {
    booted = await bootApp();
  });
  afterAll(() => booted.app.close());

  async function notify(user: string, text: string): Promise<{ id: string }> {
    const { status, body } = await post(`${booted.url}/notifications/${user}`, { text });
    expect([status, body]).toMatchObject([201, { text }]);
    return body as { id: string };
  }

  const markRead = (user: string, id?: string) =>
    fetch(`${booted.url}/notifications/${user}/read`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ id }),
    });

  const listen = (user: string, lastEventId = ''): Promise<TestStream> =>
    open(`${booted.url}/notifications/${user}/events`, { lastEventId });

  it('come as a state, and then as the events after it, none twice', async () => {
    const [one, two] = [await notify('mira', 'one'), await notify('mira', 'two')];
    const reader = await listen('mira');
    const { state } = (await reader.next()).data;
    expect(state).toMatchObject([
      { text: 'one', isRead: false },
      { text: 'two', isRead: false },
    ]);
    const three = await notify('mira', 'three');
    expect((await markRead('mira', one.id)).status).toBe(204);
    expect((await markRead('mira')).status).toBe(204);
    const events = await reader.take(3);
    expect(events.map(({ type, data }) => [type, data])).toMatchObject([
      ['notification', { id: three.id, text: 'three' }],
      ['read', { ids: [one.id] }],
      ['read', { ids: [two.id, three.id] }],
    ]);

    const late = (await (await listen('mira')).next()).data;
    expect(late.state).toMatchObject([{ isRead: true }, { isRead: true }, { isRead: true }]);
    // A client that comes back gets what it has missed, and no state.
    const resumed = await listen('mira', events[1]!.id);
    expect(await resumed.take(1)).toEqual(events.slice(2));
  });

  it('are one inbox for each user, and reading is said once', async () => {
    const { id } = await notify('jonas', 'hi');
    const reader = await listen('jonas');
    await reader.next();
    for (let count = 0; count < 2; count++) await markRead('jonas', id);
    await notify('somebody', 'else');
    await notify('jonas', 'again');
    expect((await reader.take(2)).map(({ type }) => type)).toEqual(['read', 'notification']);
  });

  it('say what is wrong with them', async () => {
    const { status, body } = await post(`${booted.url}/notifications/mira`, { text: ' ' });
    expect([status, body]).toMatchObject([400, { message: 'text must be a text of 1 to 200 characters' }]);
    expect((await markRead('mira', '7')).status).toBe(400);
    for (const user of ['x'.repeat(41), encodeURIComponent('漢'.repeat(40))])
      expect((await post(`${booted.url}/notifications/${user}`, { text: 'x' })).status).toBe(400);
  });
});
