import { describe, expect, it } from '@jest/globals';
import { SseClient, type SseClientOptions } from '../../support/sse-client.js';
import { idOf, startEndpointApp } from './endpoint-app.js';

type Positions = Readonly<Record<string, string>>;

/** The options of a request that has positions in its body. */
const posting = (channels: unknown, options: SseClientOptions = {}): SseClientOptions => ({
  ids: 'own',
  method: 'POST',
  ...options,
  headers: { 'content-type': 'application/json', ...options.headers },
  body: JSON.stringify({ channels }),
});

async function openWith(
  url: string,
  channels: Positions,
  options?: SseClientOptions,
): Promise<{ client: SseClient; id: string }> {
  const client = await SseClient.open(`${url}/events`, posting(channels, options));
  return { client, id: idOf(await client.next()) };
}

describe('A stream with own ids', () => {
  it('names in each id the channel of the event alone, also one without history', async () => {
    const { hub, url } = await startEndpointApp();
    const { client } = await openWith(url, { 'rooms/a': '', 'rooms/b': '', 'typing/a': '' });
    expect(client.status).toBe(200);
    expect(client.headers).toMatchObject({
      'content-type': 'text/event-stream;ids=own',
      vary: 'Accept',
      'cache-control': expect.stringContaining('no-store'),
    });
    const a = await hub.publish('rooms/a', { data: '1' });
    const b = await hub.publish('rooms/b', { data: '2' });
    await hub.publish('typing/a', { data: '3', id: 'of its publisher' });
    expect(await client.take(3)).toEqual([
      { type: 'message', id: `rooms%2Fa=${a}`, data: '1' },
      { type: 'message', id: `rooms%2Fb=${b}`, data: '2' },
      { type: 'message', id: 'typing%2Fa=*', data: '3' },
    ]);
    expect(client.blocks[0]!.id).toMatch(/^rooms%2Fa=0\.\w+&rooms%2Fb=0\.\w+&typing%2Fa=\*$/);
  });

  it('begins by POST in each channel where the client was', async () => {
    const { hub, url } = await startEndpointApp();
    const { client: first } = await openWith(url, { 'rooms/a': '', 'rooms/b': '', 'typing/a': '' });
    await hub.publish('rooms/a', { data: 'a1' });
    await hub.publish('rooms/b', { data: 'b1' });
    await first.take(2);
    first.destroy();
    await hub.publish('rooms/b', { data: 'b2' });
    await hub.publish('rooms/a', { data: 'a2' });
    const { client } = await openWith(url, first.positions);
    await hub.publish('typing/a', { data: 'live' });
    expect((await client.take(3)).map(({ data }) => data).sort()).toEqual(['a2', 'b2', 'live']);
    expect((await hub.connections())[0]!.channels).toEqual(['rooms/a', 'rooms/b', 'typing/a']);
  });
});
