import { describe, expect, it } from '@jest/globals';
import { whenTestEnds } from '../../support/clean-up.js';
import { bootApp, post } from './booted-app.js';

const data = { id: '8e03978e-40d5-43dd-bc93-6894a57f9301', text: 'Hello', sentAt: '2026-11-30T12:00:00Z' };
const notification = { channel: 'notifications/ada', type: 'notification', data };

async function boot(env: Record<string, string>) {
  const booted = await bootApp({ env });
  whenTestEnds(() => booted.app.close());
  const publish = async (body: object, key: string) =>
    (await post(`${booted.url}/publish`, body, { authorization: `Bearer ${key}` })).status;
  return { ...booted, publish };
}

describe('publishing to the demo over HTTP', () => {
  it('takes notifications from who has the key', async () => {
    const { hub, publish } = await boot({ PUBLISH_KEY: 'secret' });
    expect(await publish(notification, 'wrong')).toBe(401);
    expect(await publish({ ...notification, channel: 'broadcast' }, 'secret')).toBe(403);
    expect(await publish(notification, 'secret')).toBe(201);
    expect((await hub.history('notifications/ada')).events).toMatchObject([{ data: notification.data }]);
  });

  it('is not there without a key', async () => {
    const { publish } = await boot({});
    expect(await publish(notification, 'undefined')).toBe(404);
  });
});
