import { Injectable } from '@nestjs/common';
import { describe, expect, it } from '@jest/globals';
import { AuthorizeChannel, defineChannel, SseModule } from '../../../src/sse/index.js';
import type { TestStream } from '../../../src/sse/testing/index.js';
import { eventually } from '../../support/eventually.js';
import { Publisher, ServerSockets } from '../http/stalled.js';
import { called, Held, LosesLog, stateOf, type Tell } from '../snapshots/snapshot-app.js';
import { change, openEndpoint, startEndpointApp } from './endpoint-app.js';

interface Opened {
  readonly client: TestStream;
  readonly close: () => Promise<void>;
}

/** Boards are for everybody. */
@Injectable()
class BoardAccess {
  @AuthorizeChannel('board/:id')
  maySee(): boolean {
    return true;
  }
}

describe('the endpoint with what else there is', () => {
  const start = (tell: Tell, lost: LosesLog) =>
    startEndpointApp({ backplane: lost.backplane }, { providers: [BoardAccess, stateOf('board/:id', tell)] });

  it.each([[['board/a']], [[]]])(
    'ends when a channel has failed, as any stream; asked for at first: %j',
    async (atFirst) => {
      const lost = new LosesLog('board/a');
      let isAway = false;
      const { url, hub } = await start(() => {
        if (isAway) throw new Error('The database is away.');
        return { state: 'here' };
      }, lost);
      const { client, id } = await openEndpoint(url, ['rooms/a', ...atFirst]);
      expect((await change(url, id, { join: ['board/a'] })).body.joined).toEqual(['board/a']);
      await client.until(({ type }) => type === 'snapshot');
      isAway = true;
      lost.lose();
      await hub.publish('board/a', { data: 'after' });
      await client.until(({ type }) => type === 'error');
      expect(await client.ended()).toBe('ended');
    },
  );

  it('leads its client back to where it was, when a channel has failed after a comment', async () => {
    const lost = new LosesLog('board/a');
    const held = new Held(() => ({ state: 'here' }));
    const { url, hub } = await start(held.ask, lost);
    const opening = openEndpoint(url, ['rooms/a', 'board/a']);
    (await called(held)).answer();
    const { client } = await opening;
    await client.until(({ type }) => type === 'snapshot');
    lost.lose();
    await hub.publish('board/a', { data: 'after' });
    const asked = await called(held);
    await client.until(({ type }) => type === 'gap');
    const id = await hub.publish('rooms/a', { comment: 'still working' });
    await client.untilComment('still working');
    asked.fail(new Error('The database is away.'));
    expect(await client.ended()).toBe('ended');
    expect(client.lastEventId.split('&')).toContain(`rooms%2Fa=${id}`);
  });

  it.each([
    ['when its client leaves', async ({ client }: Opened): Promise<void> => Promise.resolve(client.close())],
    ['when the application closes', async ({ close }: Opened): Promise<void> => close()],
  ])('answers who joins a channel about which nobody decides, %s', async (_, end) => {
    const { url, access, close } = await startEndpointApp({ authorizeTime: 600_000 });
    const { client, id } = await openEndpoint(url, ['rooms/a']);
    const joining = change(url, id, { join: ['rooms/never'] });
    await eventually(() => access.asked.length === 2);
    await end({ client, close });
    expect((await joining).body).toMatchObject({ joined: [], denied: ['rooms/never'] });
  });

  it('disconnects who joins and leaves, and does not read what it is told of that', async () => {
    const limits = { joinsPerSecond: Infinity, queuedBytes: 5_000 };
    const started = await startEndpointApp({ limits, heartbeat: 0 });
    const { url, hub } = started;
    const sockets = new ServerSockets(started);
    const { client, id } = await openEndpoint(url, ['rooms/a']);
    client.pause();
    await new Publisher(hub, 'rooms/a').fill(sockets.of(client));
    let status = 200;
    for (let i = 0; i < 200 && status === 200; i++) {
      await change(url, id, { join: ['rooms/b'] });
      ({ status } = await change(url, id, { leave: ['rooms/b'] }));
    }
    expect([status, hub.stats().connections]).toEqual([404, 0]);
  });

  it('has nobody present for a HEAD request', async () => {
    const Hall = defineChannel('rooms/hall', { presence: { events: true } });
    const { url, hub } = await startEndpointApp({}, { imports: [SseModule.forFeature([Hall])] });
    const address = `${url}/events?channel=rooms/hall`;
    expect((await fetch(address, { method: 'HEAD', headers: { 'x-user': 'ada' } })).status).toBe(200);
    expect(await hub.presence('rooms/hall')).toEqual([]);
  });
});
