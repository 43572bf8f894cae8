import { describe, expect, it } from '@jest/globals';
import type { TestStream } from '../../../src/sse/testing/index.js';
import { blocksOf } from '../../support/blocks.js';
import { eventually } from '../../support/eventually.js';
import { listen } from '../../support/open-stream.js';
import { change, idOf, openEndpoint, startEndpointApp } from './endpoint-app.js';

/** Waits until the client would come back for just these channels. */
const untilNamed = (client: TestStream, ...channels: string[]): Promise<void> =>
  eventually(() => {
    const named = client.lastEventId.split('&').map((part) => decodeURIComponent(part.split('=')[0]!));
    return named.join() === channels.join();
  });

describe('a client of the endpoint that comes back', () => {
  const start = (...[sse]: Parameters<typeof startEndpointApp>) => startEndpointApp({ retry: 1, ...sse });

  it('has the channels that it had joined, from where it was', async () => {
    const { hub, url } = await start();
    const { client, id } = await openEndpoint(url, [], { reconnect: 200 });
    await change(url, id, { join: ['rooms/a', 'rooms/b'] });
    await hub.publish('rooms/a', { data: '1' });
    await client.next();
    client.drop('fin');
    await hub.publish('rooms/b', { data: '2' });
    expect(idOf(await client.next())).not.toBe(id);
    await hub.publish('rooms/a', { data: '3' });
    expect((await client.take(2)).map(({ text }) => text)).toEqual(['2', '3']);
    const [info] = await hub.connections();
    expect(info!.channels).toEqual(['rooms/a', 'rooms/b']);
  });

  it('has also those without history, and a single one', async () => {
    const { hub, url } = await start();
    const { client, id } = await openEndpoint(url, [], { reconnect: true });
    await change(url, id, { join: ['typing/a'] });
    await untilNamed(client, 'typing/a');
    await hub.publish('typing/a', { data: '1', id: 'of its publisher' });
    await client.next();
    client.drop('fin');
    const again = idOf(await client.next());
    expect((await change(url, again, {})).body.channels).toEqual(['typing/a']);
    await hub.publish('typing/a', { data: '2' });
    expect((await client.next()).text).toBe('2');
  });

  it('joins from the position of the first answer, where it was cut off before it had read its stream', async () => {
    const { hub, url } = await start();
    const { client, id } = await openEndpoint(url, [], { reconnect: true });
    client.pause();
    const { body } = await change(url, id, { join: ['rooms/a'] });
    for (const data of ['1', '2']) await hub.publish('rooms/a', { data });
    client.drop();
    const again = idOf(await client.next());
    expect((await hub.connections())[0]!.channels).toEqual([]);
    const { positions } = body as { positions: Record<string, string> };
    await change(url, again, { join: [{ channel: 'rooms/a', lastEventId: positions['rooms/a'] }] });
    await hub.publish('rooms/a', { data: '3' });
    expect((await client.take(3)).map(({ text }) => text)).toEqual(['1', '2', '3']);
  });

  it('has not what it has left, the last one included', async () => {
    const { hub, url } = await start();
    const { client, id } = await openEndpoint(url, [], { reconnect: true });
    await change(url, id, { join: ['rooms/a', 'rooms/b'] });
    await untilNamed(client, 'rooms/a', 'rooms/b');
    await change(url, id, { leave: ['rooms/a'] });
    await untilNamed(client, 'rooms/b');
    client.drop('fin');
    const again = idOf(await client.next());
    expect((await hub.connections())[0]!.channels).toEqual(['rooms/b']);
    await change(url, again, { leave: ['rooms/b'] });
    await eventually(() => client.lastEventId === '');
    // With data, or half of all clients would keep the id that they have.
    expect(blocksOf(client).at(-1)!.raw).toBe('id: \nevent: sse-position\ndata: {}');
    client.drop('fin');
    const last = idOf(await client.next());
    expect((await change(url, last, {})).body.channels).toEqual([]);
  });

  it.each<[string, (app: Awaited<ReturnType<typeof start>>) => unknown]>([
    ['the application closes', ({ close }) => void close()],
    ['it is disconnected', ({ hub }) => hub.disconnect({ channel: 'rooms/never' })],
  ])('has what it came with, where %s while its channels are decided about', async (_, end) => {
    const app = await start({ authorizeTime: 600_000 });
    const { hub, url, access } = app;
    const ids = [
      await hub.publish('rooms/a', { data: '1' }),
      await hub.publish('rooms/never', { data: '1' }),
    ];
    const lastEventId = `rooms%2Fa=${ids[0]!}&rooms%2Fnever=${ids[1]!}`;
    const coming = listen(`${url}/events`, { lastEventId });
    await eventually(() => access.asked.length === 2);
    await end(app);
    const client = await coming;
    expect(await client.ended()).toBe('ended');
    expect(client.lastEventId).toBe(lastEventId);
  });

  it('is asked about anew, and told what it has no more', async () => {
    const { url, access } = await start();
    const { client, id } = await openEndpoint(url, [], { reconnect: true });
    await change(url, id, { join: ['rooms/a', 'rooms/b'] });
    await untilNamed(client, 'rooms/a', 'rooms/b');
    access.closed.add('rooms/a');
    client.drop('fin');
    const again = idOf(await client.next());
    expect(await client.next()).toMatchObject({
      type: 'denied',
      text: '{"channel":"rooms/a","reason":"forbidden"}',
    });
    expect((await change(url, again, {})).body.channels).toEqual(['rooms/b']);
  });

  it('has what its address and its id name, and no more than a response takes', async () => {
    const { hub, url } = await start({ limits: { channelsPerConnection: 3 } });
    const named = ['rooms/b', 'not//a name', 'rooms/c', 'rooms/d'].map(
      (name) => `${encodeURIComponent(name)}=abc-1`,
    );
    await openEndpoint(url, ['rooms/a'], { lastEventId: named.join('&') });
    expect((await hub.connections())[0]!.channels).toEqual(['rooms/a', 'rooms/b', 'rooms/c']);
  });

  it('is told of a gap after the id of its connection', async () => {
    const { hub, url } = await start();
    const { client } = await openEndpoint(url, [], { lastEventId: 'rooms%2Fa=abc-1' });
    expect(await client.next()).toMatchObject({ type: 'gap' });
    expect(client.lastEventId).toBe(`rooms%2Fa=${(await hub.history('rooms/a')).position}`);
  });

  it.each(['abc-1', 'hello', '=', '*', 'rooms%2Fa=', '%ZZ=*', 'x'.repeat(5_000)])(
    'is let in with an id that says nothing: %j',
    async (lastEventId) => {
      const { url } = await start();
      const { id } = await openEndpoint(url, [], { lastEventId });
      expect((await change(url, id, {})).body.channels).toEqual([]);
    },
  );
});
