import { describe, expect, it } from '@jest/globals';
import { MemoryBackplane } from '../../../src/sse/backplanes/memory/memory.backplane.js';
import { MemoryBus, MemoryCluster } from '../../../src/sse/backplanes/memory/memory.cluster.js';
import { connectChannels, type ChannelClient, type ChannelsClient } from '../../../src/sse/client/index.js';
import type { SseModuleOptions } from '../../../src/sse/index.js';
import { whenTestEnds } from '../../support/clean-up.js';
import { newInbox } from '../../support/inbox.js';
import { startSseApp, untilConnections, type SseApp } from '../../support/sse-app.js';
import { listen } from '../../support/open-stream.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { byHeader, OWN_IDS, startEndpointApp } from '../endpoint/endpoint-app.js';

const start = (sse: SseModuleOptions = {}): Promise<SseApp> =>
  startEndpointApp({ presence: { events: true, grace: 0 }, retry: 1, ...sse });

/** A page of a user, or of nobody. It is closed when the test ends. */
class Page {
  readonly client: ChannelsClient;
  readonly room: ChannelClient;
  readonly #lists = newInbox<string>();

  constructor(url: string, user = '', room = 'rooms/a') {
    this.client = connectChannels(`${url}/events`, user ? { headers: { 'x-user': user } } : {});
    this.room = this.client.channel(room);
    this.room.members.subscribe(() => this.#lists.push(this.users));
    whenTestEnds(() => this.client.close());
  }

  /** The users on the list, in its order. */
  get users(): string {
    return this.room.members.value.map(({ user }) => user).join(' ');
  }

  /** Resolves when the next list of these users is there. */
  async until(users: string): Promise<void> {
    await this.#lists.until((list) => list === users);
  }

  /** Resolves when the next event of this type has come. */
  next(type: string): Promise<void> {
    return new Promise((resolve) => {
      const off = this.room.on(type, () => {
        off();
        resolve();
      });
    });
  }
}

describe('the members of a channel of a client', () => {
  it('are those who were there before, and all who come and go', async () => {
    const { hub, url } = await start();
    const ada = new Page(url, 'ada');
    await ada.until('ada');
    const bob = new Page(url, 'bob');
    await Promise.all([ada.until('ada bob'), bob.until('ada bob')]);
    const listed = JSON.parse(JSON.stringify(await hub.presence('rooms/a'))) as object[];
    expect(bob.room.members.value[0]).toEqual(listed[0]);
    bob.client.close();
    await ada.until('ada');
  });

  it('come with a channel that is joined later', async () => {
    const { url } = await start();
    const ada = new Page(url, 'ada');
    const bob = new Page(url, 'bob', 'rooms/other');
    await Promise.all([ada.until('ada'), bob.until('bob')]);
    const room = bob.client.channel('rooms/a');
    const users = newInbox<number>();
    room.members.subscribe(() => users.push(room.members.value.length));
    await users.until((count) => count === 2);
    await ada.until('ada bob');
  });

  it('are listed anew after a reconnect, where the channel keeps no events', async () => {
    const app = await start({ history: 0 });
    const proxy = await TcpProxy.to(app.port);
    whenTestEnds(() => proxy.close());
    const watcher = new Page(`http://127.0.0.1:${proxy.port}`);
    const ada = new Page(app.url, 'ada');
    await watcher.until('ada');
    proxy.sever();
    await untilConnections(app.hub, 1);
    ada.client.close();
    await untilConnections(app.hub, 0);
    new Page(app.url, 'bob');
    await untilConnections(app.hub, 1);
    proxy.mend();
    await watcher.until('bob');
  });

  it('do not have somebody who has left while the list was on its way from another instance', async () => {
    const bus = new MemoryBus();
    const held: (() => unknown)[] = [];
    let answers: 'sent' | 'held' = 'sent';
    /** Keeps back what it answers. */
    class SlowCluster extends MemoryCluster {
      override async broadcast(topic: string, message: object): Promise<void> {
        if (answers === 'held' && 'items' in message) held.push(() => super.broadcast(topic, message));
        else await super.broadcast(topic, message);
      }
    }
    let shared: MemoryBackplane | undefined;
    const [one, other] = await Promise.all(
      [MemoryCluster, SlowCluster].map((Cluster) =>
        start({
          backplane: (limits) => ({
            backplane: (shared ??= new MemoryBackplane(limits)),
            cluster: new Cluster(bus),
          }),
        }),
      ),
    );
    const [ada, bob] = [new Page(other!.url, 'ada'), new Page(other!.url, 'bob')];
    await Promise.all([ada.until('ada bob'), bob.until('ada bob')]);
    answers = 'held';
    const watcher = new Page(one!.url);
    await untilConnections(one!.hub, 1);
    bob.client.close();
    await watcher.next('leave');
    expect(held).toHaveLength(1);
    for (const answer of held) void answer();
    await watcher.until('ada');
  });

  it('are not told on a route, whose stream may hide who comes and goes', async () => {
    const { hub, url } = await startSseApp({
      sse: { presence: { events: true, grace: 0 }, identify: byHeader },
      routes: { events: (hub) => hub.stream('rooms/a', { types: ['said'] }) },
    });
    const client = await listen(`${url}/events`, { headers: { ...OWN_IDS, 'x-user': 'ada' } });
    // Asked for after the list would be.
    await client.untilId();
    await hub.presence('rooms/a');
    await hub.publish('rooms/a', { type: 'said', data: 'hello' });
    expect((await client.next()).type).toBe('said');
  });

  it('are listed anew after a gap, as somebody may have left in it', async () => {
    const app = await start({ history: { count: 20 } });
    const watcher = new Page(app.url);
    const ada = new Page(app.url, 'ada');
    const bob = new Page(app.url, 'bob');
    await Promise.all([watcher.until('ada bob'), ada.until('ada bob')]);
    // It takes one event, and lets the others wait.
    const events = watcher.room[Symbol.asyncIterator]();
    await app.hub.publish('rooms/a', { data: 'first' });
    await events.next();
    for (let i = 0; i < 300; i++) await app.hub.publish('rooms/a', { data: i });
    const large = 'x'.repeat(250_000);
    for (let i = 0; i < 30; i++) await app.hub.publish('rooms/a', { data: large });
    bob.client.close();
    await ada.until('ada');
    for (let i = 0; i < 30; i++) await app.hub.publish('rooms/a', { data: i });
    void (async () => {
      while (!(await events.next()).done);
    })();
    await watcher.until('ada');
  });
});
