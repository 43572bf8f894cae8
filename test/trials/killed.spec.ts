import { expect, it } from '@jest/globals';
import { describeWith } from '../support/describe-with.js';
import { eventually } from '../support/eventually.js';
import { Crowd } from './crowd.js';
import { Fleet } from './fleet.js';
import { Load } from './load.js';
import { describeOnEach } from './servers.js';
import { CHANNEL, KEEP_ALL } from './settings.js';

const CLIENTS = 60;
/** Events in a second. */
const RATE = 200;
/** Of them so many are published between two kills. */
const BETWEEN = 100;

describeWith('nginx', 'instances behind nginx that are killed under load', (nginx) => {
  describeOnEach('one after another', (startServer) => {
    it('have every client see every event once and in order', async () => {
      const { backplane } = await startServer({ durable: false });
      const fleet = await Fleet.start({ count: 3, ...backplane, sse: KEEP_ALL });
      const crowd = new Crowd();
      await crowd.join(`${await fleet.behind(nginx)}/events?channels=${CHANNEL}`, CLIENTS);
      const load = new Load(fleet, { channel: CHANNEL, rate: RATE, retries: true });
      const streams = (): number => crowd.watchers.reduce((sum, { connected }) => sum + connected, 0);

      const [first, second, third] = fleet.instances;
      for (const instance of [first!, second!]) {
        const before = load.count;
        await eventually(() => load.count >= before + BETWEEN);
        const { connections } = await instance.stats();
        const had = streams();
        expect(connections).toBeGreaterThan(0);
        await instance.end('SIGKILL');
        await eventually(() => streams() === had + connections);
        if (instance === first) await instance.start();
      }
      await load.stop();

      const kept = await third!.history(CHANNEL);
      await crowd.haveSeen(kept.at(-1)!.id);
      const ids = kept.map(({ id }) => id);
      for (const watcher of crowd.watchers) {
        expect(watcher.ids).toEqual(ids);
        expect(watcher.gaps).toEqual([]);
      }
      expect(crowd.conflicts).toEqual([]);
      // What the clients saw is what was published: each number once, under the id that its publisher was told.
      expect(kept).toHaveLength(load.count);
      const published = [...load.outcomes].map(([n, outcome]) => [(outcome as { id: string }).id, String(n)]);
      expect(crowd.contents).toEqual(new Map(published as [string, string][]));
    });
  });
});
