import { describe, expect, it } from '@jest/globals';
import { MemoryBus, MemoryCluster } from '../../../src/sse/backplanes/memory/memory.cluster.js';
import { MemoryBackplane } from '../../../src/sse/backplanes/memory/memory.backplane.js';
import { redisBackplane } from '../../../src/sse/backplanes/redis/index.js';
import { adapters } from '../../support/adapters.js';
import { whenTestEnds } from '../../support/clean-up.js';
import { describeWith } from '../../support/describe-with.js';
import { eventually } from '../../support/eventually.js';
import { RedisServer } from '../../support/redis-server.js';
import { listen } from '../../support/open-stream.js';
import { change, idOf, openEndpoint, startEndpointApp } from './endpoint-app.js';

const ADA = { 'x-user': 'ada' };
const UNKNOWN = '0b9f3f6c-8f2b-4d0c-9a40-1f0f5f3f9e11';

describeWith('redis-server', 'the endpoint of two instances that share a Redis', (path) => {
  describe.each(adapters)('(%s)', (adapter) => {
    async function startTwo() {
      const server = await RedisServer.start(path);
      whenTestEnds(() => server.dispose());
      const start = () =>
        startEndpointApp(
          { backplane: redisBackplane({ connection: { url: server.url } }), retry: 1 },
          { adapter },
        );
      return [await start(), await start()] as const;
    }

    it('joins and leaves through the one what is open on the other', async () => {
      const [one, other] = await startTwo();
      const { client, id } = await openEndpoint(one.url, ['rooms/a'], { headers: ADA });
      const body = { join: ['rooms/b', 'boxes/ada', 'boxes/eve', 'nobody/says'], leave: ['rooms/a'] };
      const answer = await change(other.url, id, body, ADA);
      expect(answer.body).toEqual({
        joined: ['rooms/b', 'boxes/ada'],
        positions: { 'rooms/b': expect.any(String), 'boxes/ada': expect.any(String) },
        denied: ['boxes/eve', 'nobody/says'],
        left: ['rooms/a'],
        channels: ['rooms/b', 'boxes/ada'],
      });
      await other.hub.publish('rooms/a', { data: 'left' });
      await other.hub.publish('rooms/b', { data: 'joined' });
      expect((await client.next()).text).toBe('joined');
      expect(other.access.asked).toEqual([]);
    });

    it("knows nothing of somebody else's connection, on either", async () => {
      const [one, other] = await startTwo();
      const { id } = await openEndpoint(one.url, ['rooms/a'], { headers: ADA });
      const eve = { 'x-user': 'eve' };
      const unknown = await change(other.url, UNKNOWN, { join: ['rooms/b'] }, eve);
      expect(unknown.status).toBe(404);
      for (const { url } of [one, other]) {
        const { status, body } = await change(url, id, { join: ['rooms/b'] }, eve);
        expect([status, body]).toEqual([404, unknown.body]);
        expect((await change(url, id, {}, { ...ADA, 'x-token': 'wrong' })).status).toBe(401);
      }
      expect((await change(other.url, id, {}, ADA)).body.channels).toEqual(['rooms/a']);
    });

    it('has on the other what was joined on the one, from where the client was', async () => {
      const [one, other] = await startTwo();
      const { client, id } = await openEndpoint(one.url, []);
      await change(other.url, id, { join: ['rooms/a', 'typing/a'] });
      await one.hub.publish('rooms/a', { data: '1' });
      await client.next();
      client.close();
      await other.hub.publish('rooms/a', { data: '2' });
      const { lastEventId } = client;
      const again = await listen(`${other.url}/events`, { lastEventId });
      idOf(await again.next());
      await one.hub.publish('rooms/a', { data: '3' });
      expect((await again.take(2)).map(({ text }) => text)).toEqual(['2', '3']);
      expect((await other.hub.connections())[0]!.channels).toEqual(['rooms/a', 'typing/a']);
    });
  });
});

describe('the endpoint of instances of which one does not answer', () => {
  it('answers of what another has, and with 503 where nothing is known', async () => {
    const bus = new MemoryBus();
    const start = () =>
      startEndpointApp({
        authorizeTime: 1,
        backplane: (limits) => ({
          backplane: new MemoryBackplane(limits),
          cluster: new MemoryCluster(bus),
        }),
      });
    const [one, other] = [await start(), await start()];
    new MemoryCluster(bus);
    const { id } = await openEndpoint(one.url, []);
    expect((await change(other.url, id, { join: ['rooms/a'] })).body.joined).toEqual(['rooms/a']);
    expect((await change(other.url, UNKNOWN, {})).status).toBe(503);
    await eventually(async () => (await one.hub.connections())[0]!.channels.length === 1);
  });
});
