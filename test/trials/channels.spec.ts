import { expect, it } from '@jest/globals';
import { eventually } from '../support/eventually.js';
import { Crowd } from './crowd.js';
import { Fleet, type Outcome } from './fleet.js';
import { describeOnEach } from './servers.js';

const CHANNELS = 10_000;
const PER_CONNECTION = 50;
const CONNECTIONS = CHANNELS / PER_CONNECTION;
const INSTANCES = 2;
/** Publications that are under way together. */
const AT_ONCE = 500;
/** Milliseconds after which an idle channel is let go. */
const TTL = 2_000;
/** Connections that are made together. */
const JOINING = 10;
/** Bytes that half of the channels, each with an event, and half of the connections may take of an instance. */
const HEAP = 80 * 1024 ** 2;
const RSS = 256 * 1024 ** 2;
/** Bytes that it may take to remember how far so many channels went. */
const HEAP_AFTERWARDS = 20 * 1024 ** 2;

const names = Array.from({ length: CHANNELS }, (_, i) => `c${i}`);
/** Those of one connection. */
const channelsOf = (connection: number): string[] =>
  names.slice(connection * PER_CONNECTION, (connection + 1) * PER_CONNECTION);

describeOnEach('ten thousand channels, fifty in each connection', (startServer) => {
  it('take no connections to the server, a bounded memory, and are let go', async () => {
    const server = await startServer({ durable: false });
    const fleet = await Fleet.start({ count: INSTANCES, ...server.backplane, sse: { ttl: TTL } });
    const crowd = new Crowd();
    // What the first connection costs is not what is asked about.
    await crowd.join(`${fleet.instances[0]!.url}/events?channels=first`);
    await crowd.join(`${fleet.instances[1]!.url}/events?channels=first`);
    const idle = await server.load();
    const base = await Promise.all(fleet.instances.map((instance) => instance.memory()));

    for (let i = 0; i < CONNECTIONS; i++) {
      const mine = channelsOf(i).join(',');
      crowd.add(`${fleet.instances[i % INSTANCES]!.url}/events?channels=${mine}`);
      if (i % JOINING === JOINING - 1) await crowd.all('has a stream', ({ isListening }) => isListening);
    }
    // Each through the instance that has no listener for it.
    const outcomes: Outcome[] = [];
    for (let i = 0; i < CHANNELS; i += AT_ONCE) {
      const some = names.slice(i, i + AT_ONCE).map((name, j) => {
        const listening = Math.floor((i + j) / PER_CONNECTION) % INSTANCES;
        return fleet.instances[1 - listening]!.publish(name, name);
      });
      outcomes.push(...(await Promise.all(some)));
    }
    expect(outcomes.filter((outcome) => !('id' in outcome))).toEqual([]);
    const listeners = crowd.watchers.slice(INSTANCES);
    await eventually(() => listeners.every(({ ids }) => ids.length >= PER_CONNECTION));
    for (const [i, { ids, connected }] of listeners.entries()) {
      expect(ids.map((id) => crowd.contents.get(id)).sort()).toEqual(channelsOf(i).sort());
      expect(connected).toBe(1);
    }

    const { connections } = await server.load();
    expect(connections).toBe(idle.connections);
    expect(connections).toBeLessThanOrEqual(INSTANCES * 2);
    for (const [i, instance] of fleet.instances.entries()) {
      const { rss, heapUsed } = await instance.memory();
      expect(rss - base[i]!.rss).toBeLessThan(RSS);
      expect(heapUsed - base[i]!.heapUsed).toBeLessThan(HEAP);
    }

    crowd.leave();
    for (const instance of fleet.instances) {
      await eventually(async () => {
        const { channels, historyBytes } = await instance.stats();
        return channels === 0 && historyBytes === 0;
      });
    }
    await eventually(async () => {
      return (await server.load()).subscriptions < idle.subscriptions + PER_CONNECTION;
    });
    for (const [i, instance] of fleet.instances.entries()) {
      const { heapUsed } = await instance.memory();
      expect(heapUsed - base[i]!.heapUsed).toBeLessThan(HEAP_AFTERWARDS);
    }
  });
});
