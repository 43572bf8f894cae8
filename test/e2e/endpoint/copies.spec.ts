import { describe, expect, it } from '@jest/globals';
import { change, openEndpoint, startEndpointApp } from './endpoint-app.js';

describe('an event that was published to several channels', () => {
  it('comes once to a client that has joined its channels one by one, and not less to one that leaves the first', async () => {
    const { hub, url } = await startEndpointApp({});
    const { client, id } = await openEndpoint(url, ['rooms/a']);
    await change(url, id, { join: ['rooms/b'] });
    await hub.publish(['rooms/a', 'rooms/b'], { data: 1 });
    await change(url, id, { leave: ['rooms/a'] });
    await hub.publish(['rooms/a', 'rooms/b'], { data: 2 });
    await hub.publish('rooms/b', { data: 'end' });
    expect((await client.until(({ data }) => data === 'end')).map(({ data }) => data)).toEqual([1, 2, 'end']);
  });
});
