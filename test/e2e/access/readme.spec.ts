import { describe, expect, it } from '@jest/globals';
import type { OpenStreamOptions } from '../../../src/sse/testing/index.js';
import { adapters } from '../../support/adapters.js';
import { startSseApp, untilConnections } from '../../support/sse-app.js';
import { answerTo, listen } from '../../support/open-stream.js';
import { denied } from './denied.js';
import { example } from './readme-example.js';

describe.each(adapters)('the guide’s application with a token guard (%s)', (adapter) => {
  it('gives to each what is theirs', async () => {
    const { tokens, TenantsModule } = example();
    const app = await startSseApp({ adapter, sse: false, imports: [TenantsModule] });
    const exp = Math.floor(Date.now() / 1_000);
    tokens.set('anns', { user: 'ann', tenant: 'a', exp: exp + 60 });
    tokens.set('bobs', { user: 'bob', tenant: 'b', exp: exp + 60 });
    tokens.set('old', { user: 'bob', tenant: 'b', exp: exp - 60 });
    const url = `${app.url}/tenants/a/events`;
    const withToken = (token?: string): OpenStreamOptions =>
      token === undefined ? {} : { headers: { cookie: `a=b; token=${token}` } };

    for (const token of [undefined, 'carols', 'old'])
      expect((await answerTo(url, withToken(token))).status).toBe(401);
    const ann = await listen(url, withToken('anns'));
    const bob = await listen(url, withToken('bobs'));
    await untilConnections(app.hub, 2);
    expect(await bob.next()).toMatchObject(denied('tenants/a/orders'));
    await app.hub.publish('tenants/a/orders', { data: 'shipped' });
    await app.hub.publish('news', { data: 'for all' });
    expect((await ann.take(2)).map(({ text }) => text)).toEqual(['shipped', 'for all']);
    expect(await bob.next()).toMatchObject({ text: 'for all' });

    expect(await app.hub.revoke('ann', 'tenants/a/orders')).toEqual({ ended: 1, away: [] });
    expect(await ann.next()).toMatchObject(denied('tenants/a/orders', 'revoked'));
    expect(await app.hub.disconnect({ user: 'bob' })).toEqual({ ended: 1, away: [] });
    expect(await bob.ended()).toBe('ended');
  });

  it('lets nobody stay for longer than the token', async () => {
    const { tokens, TenantsModule } = example();
    const { url } = await startSseApp({ adapter, sse: false, imports: [TenantsModule] });
    tokens.set('anns', { user: 'ann', tenant: 'a', exp: Date.now() / 1_000 + 0.3 });
    const client = await listen(`${url}/tenants/a/events`, { headers: { cookie: 'token=anns' } });
    expect(await client.rest()).toMatchObject([{ type: 'expired', id: undefined, text: '{}' }]);
  });
});
