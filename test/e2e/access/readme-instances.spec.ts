import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { BackplaneFactory, PresenceMember } from '../../../src/index.js';
import { natsBackplane } from '../../../src/sse/backplanes/nats/index.js';
import { redisBackplane } from '../../../src/sse/backplanes/redis/index.js';
import type { TestStream } from '../../../src/sse/testing/index.js';
import { describeWith } from '../../support/describe-with.js';
import { eventually } from '../../support/eventually.js';
import { NatsServer } from '../../support/nats-server.js';
import { RedisServer } from '../../support/redis-server.js';
import { startSseApp, untilConnections, type SseApp } from '../../support/sse-app.js';
import { listen } from '../../support/open-stream.js';
import { denied } from './denied.js';
import { example, type Example } from './readme-example.js';

async function start(backplane: BackplaneFactory): Promise<SseApp & Example> {
  const { tokens, TenantsModule } = example({ backplane, shutdown: { spread: 0 } });
  for (const user of ['ann', 'ava', 'bob'])
    tokens.set(user, { user, tenant: user[0]!, exp: Date.now() / 1_000 + 60 });
  return { tokens, TenantsModule, ...(await startSseApp({ sse: false, imports: [TenantsModule] })) };
}

const as = (user: string, more: Record<string, string> = {}) => ({
  headers: { cookie: `token=${user}`, ...more },
});

const open = (app: SseApp, tenant: string, user: string, id?: string): Promise<TestStream> =>
  listen(`${app.url}/tenants/${tenant}/events`, as(user, id ? { 'Last-Event-ID': id } : {}));

/** Who is there, or the status that says why it is not said. */
async function members(app: SseApp, tenant: string, user: string): Promise<unknown> {
  const response = await fetch(`${app.url}/tenants/${tenant}/members`, as(user));
  if (!response.ok) return response.status;
  return ((await response.json()) as PresenceMember[]).map((member) => member.user).sort();
}

function describeInstances(backplane: () => BackplaneFactory): void {
  it('gives to each what is theirs, and takes it away, from either', async () => {
    const [one, other] = [await start(backplane()), await start(backplane())];
    const [ann, ava, bob] = [
      await open(one, 'a', 'ann'),
      await open(other, 'a', 'ava'),
      await open(other, 'b', 'bob'),
    ];
    await untilConnections(one.hub, 1);
    await untilConnections(other.hub, 2);
    for (const app of [one, other]) {
      await eventually(async () => JSON.stringify(await members(app, 'a', 'ann')) === '["ann","ava"]');
      await eventually(async () => JSON.stringify(await members(app, 'b', 'bob')) === '["bob"]');
      expect(await members(app, 'a', 'bob')).toBe(403);
      expect(await members(app, 'a', 'nobody')).toBe(401);
    }

    await one.hub.publish('tenants/a/orders', { data: 'for a' });
    await other.hub.publish('tenants/b/orders', { data: 'for b' });
    await other.hub.publish('news', { data: 'for all' });
    const got = await Promise.all([ann, ava, bob].map((client) => client.take(2)));
    expect(got.map((events) => events.map(({ text }) => text))).toEqual([
      ['for a', 'for all'],
      ['for a', 'for all'],
      ['for b', 'for all'],
    ]);

    // Who comes back on the other instance goes on there; an id of others is worth nothing.
    const [first] = got[0]!;
    ann.close();
    const again = await open(other, 'a', 'ann', first!.id);
    expect((await again.next()).text).toBe('for all');
    const curious = await open(one, 'a', 'bob', first!.id);
    const events = await curious.take(2);
    expect(events).toContainEqual(expect.objectContaining(denied('tenants/a/orders')));
    expect(events).toContainEqual(expect.objectContaining({ data: 'for all' }));

    // From one instance, on the other.
    expect(await one.hub.revoke('ava', 'tenants/a/orders')).toEqual({ ended: 1, away: [] });
    expect(await ava.next()).toMatchObject(denied('tenants/a/orders', 'revoked'));
    await eventually(async () => JSON.stringify(await members(one, 'a', 'ann')) === '["ann"]');
    expect(await one.hub.disconnect({ user: 'ann' })).toEqual({ ended: 1, away: [] });
    expect(await again.ended()).toBe('ended');
    await expect(open(one, 'a', 'nobody')).rejects.toMatchObject({ status: 401 });
  });
}

describeWith('redis-server', 'the guide’s application with a token guard, twice on a Redis', (path) => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await RedisServer.start(path);
  });
  afterAll(() => server.dispose());

  describeInstances(() => redisBackplane({ connection: { url: server.url } }));
});

describeWith('nats-server', 'the guide’s application with a token guard, twice on a NATS', (path) => {
  let server: NatsServer;
  beforeAll(async () => {
    server = await NatsServer.start(path);
  });
  afterAll(() => server.dispose());

  describeInstances(() => natsBackplane({ connection: { servers: server.address } }));
});
