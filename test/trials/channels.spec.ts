import { expect, it } from '@jest/globals';
import { until } from '../support/until.js';
import { Crowd } from './crowd.js';
import { Fleet, type Outcome } from './fleet.js';
import { describeOnEach } from './servers.js';

/** Takes some twenty seconds; the rest is for a machine that is busy. */
const BUDGET = 120_000;
const CHANNELS = 10_000;
const PER_CONNECTION = 50;
const CONNECTIONS = CHANNELS / PER_CONNECTION;
const INSTANCES = 2;
/** Publications that are under way together. */
const AT_ONCE = 500;
/** Milliseconds after which an idle channel is let go. */
const TTL = 2_000;
/** Bytes that an instance may take for half of the channels, each with an event, and half of the connections. */
const MEMORY = 100 * 1024 ** 2;

const names = Array.from({ length: CHANNELS }, (_, i) => `c${i}`);

describeOnEach('ten thousand channels, fifty in each connection', (startServer) => {
  it(
    'take no connections to the server, a bounded memory, and are let go',
    async () => {
      const server = await startServer({ durable: false });
      const fleet = await Fleet.start({ count: INSTANCES, ...server.backplane, sse: { ttl: TTL } });
      const crowd = new Crowd();
      // What the first connection costs is not what is asked about.
      await crowd.join(`${fleet.instances[0]!.url}/events?channels=first`);
      await crowd.join(`${fleet.instances[1]!.url}/events?channels=first`);
      const idle = await server.load();
      const base = await Promise.all(fleet.instances.map((instance) => instance.memory()));

      for (let i = 0; i < CONNECTIONS; i++) {
        const mine = names.slice(i * PER_CONNECTION, (i + 1) * PER_CONNECTION);
        crowd.add(`${fleet.instances[i % INSTANCES]!.url}/events?channels=${mine.join(',')}`);
      }
      await crowd.all('has a stream', ({ isListening }) => isListening);
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
      await until('all events are there', BUDGET, () =>
        listeners.every(({ ids }) => ids.length >= PER_CONNECTION),
      );
      for (const [i, { ids, connected }] of listeners.entries()) {
        const mine = names.slice(i * PER_CONNECTION, (i + 1) * PER_CONNECTION);
        expect(ids.map((id) => crowd.contents.get(id)).sort()).toEqual([...mine].sort());
        expect(connected).toBe(1);
      }

      const { connections, subscriptions } = await server.load();
      expect(connections).toBe(idle.connections);
      expect(connections).toBeLessThanOrEqual(INSTANCES * 2);
      const memory = await Promise.all(fleet.instances.map((instance) => instance.memory()));
      console.log({
        idle,
        connections,
        subscriptions,
        memory: memory.map((bytes, i) => (bytes - base[i]!) / 1e6),
      });
      for (const [i, bytes] of memory.entries()) expect(bytes - base[i]!).toBeLessThan(MEMORY);

      crowd.leave();
      for (const instance of fleet.instances) {
        await until('the channels are let go', BUDGET, async () => {
          const { channels, historyBytes } = await instance.stats();
          return channels === 0 && historyBytes === 0;
        });
      }
      const after = await server.load();
      console.log({ after });
      expect(after.subscriptions).toBeLessThan(idle.subscriptions + 1);
    },
    BUDGET,
  );
});
