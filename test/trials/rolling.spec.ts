import { expect, it } from '@jest/globals';
import { EventSource } from 'eventsource';
import { whenTestEnds } from '../support/clean-up.js';
import { describeWith } from '../support/describe-with.js';
import { eventually } from '../support/eventually.js';
import { Crowd } from './crowd.js';
import { Fleet } from './fleet.js';
import { Load } from './load.js';
import { describeOnEach } from './servers.js';
import { CHANNEL, KEEP_ALL } from './settings.js';

const CLIENTS = 200;
/** Of them so many are EventSources of the package of that name. */
const PAGES = 5;
/** Events in a second. */
const RATE = 200;
/** Milliseconds. */
const RETRY = 500;
const SPREAD = 2_000;

/** An EventSource, and the ids of its events in order. */
async function openPage(url: string): Promise<{ source: EventSource; ids: string[] }> {
  const source = new EventSource(url);
  whenTestEnds(() => source.close());
  const ids: string[] = [];
  source.addEventListener('message', ({ lastEventId }) => ids.push(lastEventId));
  await new Promise((resolve) => source.addEventListener('open', resolve, { once: true }));
  return { source, ids };
}

describeWith('nginx', 'a rolling restart of all instances behind nginx', (nginx) => {
  describeOnEach('under a steady load', (startServer) => {
    it('loses nothing and no client, and has them come back one after another', async () => {
      const { backplane } = await startServer({ durable: false });
      const sse = { ...KEEP_ALL, retry: RETRY, shutdown: { spread: SPREAD } };
      const fleet = await Fleet.start({ count: 3, ...backplane, sse });
      const url = `${await fleet.behind(nginx)}/events?channels=${CHANNEL}`;
      const crowd = new Crowd();
      await crowd.join(url, CLIENTS - PAGES);
      const pages = await Promise.all(Array.from({ length: PAGES }, () => openPage(url)));
      const load = new Load(fleet, { channel: CHANNEL, rate: RATE, retries: true });

      for (const instance of fleet.instances) {
        const seen = crowd.contents.size;
        await eventually(() => crowd.contents.size >= seen + RATE);
        const before = crowd.watchers.map(({ returns }) => returns.length);
        await instance.end('SIGTERM');
        await instance.start();
        await crowd.all('has a stream', ({ isListening }) => isListening);
        const returns = crowd.watchers.flatMap((watcher, i) => watcher.returns.slice(before[i]));
        const quarters = new Set(returns.map(({ retry }) => Math.floor(((retry - RETRY) / SPREAD) * 4)));
        expect(quarters).toEqual(new Set([0, 1, 2, 3]));
        const times = returns.map(({ at }) => at);
        expect(Math.max(...times) - Math.min(...times)).toBeGreaterThan(SPREAD / 2);
      }
      await load.stop();

      const kept = await fleet.instances[0]!.history(CHANNEL);
      const ids = kept.map(({ id }) => id);
      await crowd.haveSeen(ids.at(-1)!);
      for (const watcher of crowd.watchers) {
        expect(watcher.ids).toEqual(ids);
        expect(watcher.gaps).toEqual([]);
      }
      for (const page of pages) {
        await eventually(() => page.ids.at(-1) === ids.at(-1));
        expect(page.ids).toEqual(ids);
        expect(page.source.readyState).toBe(EventSource.OPEN);
      }
      expect(kept).toHaveLength(load.count);
      expect(new Set(kept.map(({ data }) => data)).size).toBe(load.count);
      expect(crowd.contents).toEqual(new Map(kept.map(({ id, data }) => [id, data])));
    });
  });
});
