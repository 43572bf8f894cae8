import { describe, expect, it } from '@jest/globals';
import { firstValueFrom, lastValueFrom, map, take, toArray } from 'rxjs';
import { connect, connectChannels, type ChannelsClient } from '../../../src/sse/client/index.js';
import { fromChannel, fromClient, fromLive, fromState } from '../../../src/sse/client/rxjs/index.js';
import { whenTestEnds } from '../../support/clean-up.js';
import { newInbox } from '../../support/inbox.js';
import { untilConnections, untilSubscribers, type SseApp } from '../../support/sse-app.js';
import { startEndpointApp } from '../endpoint/endpoint-app.js';

const start = (): Promise<SseApp> =>
  startEndpointApp(
    { retry: 1, replay: 'all', presence: { events: true } },
    { routes: { news: (hub) => hub.stream('news') } },
  );

function channelsOf({ url }: SseApp): ChannelsClient {
  const client = connectChannels(`${url}/events`, { headers: { 'x-user': 'ada' } });
  whenTestEnds(() => client.close());
  return client;
}

describe('the Observable', () => {
  it('of a stream connects for each subscription, and closes the connection with it', async () => {
    const { hub, url } = await start();
    await hub.publish('news', { data: 1 });
    await hub.publish('news', { type: 'price', data: 2 });
    const news = fromClient(() => connect(`${url}/news`));
    const two = news.pipe(
      map(({ type, data }) => [type, data]),
      take(2),
      toArray(),
    );
    expect(await Promise.all([lastValueFrom(two), lastValueFrom(two)])).toEqual(
      Array(2).fill([
        ['message', 1],
        ['price', 2],
      ]),
    );
    const events = newInbox<unknown>();
    const subscription = news.subscribe((event) => events.push(event));
    await events.until((_, count) => count === 2);
    subscription.unsubscribe();
    await untilConnections(hub, 0);
    expect(subscription.closed).toBe(true);
  });

  it('of a stream completes where there is no more, and fails where it is refused', async () => {
    const { hub, url } = await start();
    await hub.publish('news', { data: 'last' });
    await hub.complete('news');
    const news = fromClient(() => connect(`${url}/news`));
    expect(await lastValueFrom(news)).toMatchObject({ data: 'last' });
    const refused = fromClient(() => connect(`${url}/none`));
    await expect(lastValueFrom(refused)).rejects.toThrow('status 404');
  });

  it('of a channel joins and leaves it, and fails where it is denied', async () => {
    const app = await start();
    const client = channelsOf(app);
    const events = newInbox<unknown>();
    const subscription = fromChannel(client, 'rooms/a').subscribe(({ data }) => events.push(data));
    await app.hub.publish('rooms/a', { data: 1 });
    await events.until((data) => data === 1);
    await expect(lastValueFrom(fromChannel(client, 'rooms/secret'))).rejects.toThrow(
      'The channel "rooms/secret" is denied: forbidden.',
    );
    subscription.unsubscribe();
    await untilSubscribers(app.hub, 'rooms/a', 0);
    expect(client.state.kind).toBe('open');
  });

  it('of a state, and of a live value, begins with that of now', async () => {
    const client = channelsOf(await start());
    const room = client.channel('rooms/a');
    const states = lastValueFrom(
      fromState(client).pipe(
        map(({ kind }) => kind),
        toArray(),
      ),
    );
    const members = fromLive(room.members).pipe(
      map((all) => all.map(({ user }) => user)),
      take(2),
      toArray(),
    );
    expect(await firstValueFrom(members)).toEqual([[], ['ada']]);
    const left = lastValueFrom(fromState(room));
    room.close();
    client.close();
    expect(await states).toEqual(['connecting', 'open', 'closed']);
    expect(await left).toEqual({ kind: 'left' });
  });
});
