import { expect, it } from '@jest/globals';
import { Crowd } from './crowd.js';
import { Fleet } from './fleet.js';
import { describeOnEach, type SharedServer } from './servers.js';
import { CHANNEL, KEEP_ALL } from './settings.js';
import type { Watcher } from './watcher.js';

const CLIENTS = 20;

const texts = (count: number, prefix: string): string[] =>
  Array.from({ length: count }, (_, i) => `${prefix} ${i}`);

describeOnEach('a server that comes back with less than it had', (startServer) => {
  it.each([
    { what: 'nothing', comeBack: (server: SharedServer) => server.wipe(), left: [] },
    {
      what: 'an older snapshot',
      comeBack: (server: SharedServer) => server.rewind(),
      left: texts(20, 'saved'),
    },
  ])(
    'has clients told of a gap and never of other content under an old id: it has $what',
    async ({ comeBack, left }) => {
      const server = await startServer({ durable: false });
      const fleet = await Fleet.start({ count: 2, ...server.backplane, sse: KEEP_ALL });
      const crowd = new Crowd();
      const addresses = fleet.instances.map(({ url }) => `${url}/events?channels=${CHANNEL}`);
      for (const address of addresses) await crowd.join(address, CLIENTS / 2);
      /** Publishes through both instances, and waits until everyone has seen it. */
      const publish = async (data: readonly string[]): Promise<string[]> => {
        const ids: string[] = [];
        for (const [i, text] of data.entries()) {
          const outcome = await fleet.instances[i % 2]!.publish(CHANNEL, text);
          expect(outcome).toHaveProperty('id');
          ids.push((outcome as { id: string }).id);
        }
        await crowd.haveSeen(ids.at(-1)!);
        return ids;
      };

      const saved = await publish(texts(20, 'saved'));
      await server.save();
      const lost = await publish(texts(20, 'lost'));
      const [leaver] = crowd.watchers.splice(0, 1) as [Watcher];
      leaver.close();
      await comeBack(server);
      // Nobody has published yet: that there is less is told of by itself.
      await crowd.all('is told of a gap', ({ gaps }) => gaps.length > 0);
      // Without the one that left there would be no client that knows of the old log by its position alone.
      const [returned] = (await crowd.join(addresses[1]!, 1, leaver.lastEventId)) as [Watcher];
      const after = await publish(texts(20, 'after'));

      const kept = await fleet.instances[0]!.history(CHANNEL);
      const ids = kept.map(({ id }) => id);
      expect(kept.map(({ data }) => data)).toEqual([...left, ...texts(20, 'after')]);
      expect(ids.slice(left.length)).toEqual(after);
      expect(ids.slice(0, left.length)).toEqual(saved.slice(0, left.length));
      expect(new Set([...saved, ...lost, ...after]).size).toBe(60);
      for (const watcher of crowd.watchers) {
        const told = watcher === returned ? [] : [...saved, ...lost];
        expect(watcher.gaps).toEqual([{ reason: 'unknown', id: expect.any(String), after: told.length }]);
        expect(watcher.ids).toEqual([...told, ...ids]);
      }
      expect(crowd.conflicts).toEqual([]);
    },
  );
});
