import { setImmediate as turn } from 'node:timers/promises';
import { beforeEach, describe, expect, it } from '@jest/globals';
import type { SseBackplane } from '../../src/sse/log/backplane.js';
import { dataOf as dataOfEntries } from '../../src/sse/testing/contracts/channel-under-test.js';
import { describeWith } from '../support/describe-with.js';
import { eventually } from '../support/eventually.js';
import { settingsOf, stored } from './backplane.contract.js';
import { Listener } from './listener.js';
import { code, instancesOn, KEEP, texts } from './nats.instances.js';

/** What several instances do to one channel at the same time. */
describeWith('nats-server', 'instances that race on one NATS server', (path) => {
  const { serve, instance } = instancesOn(path);
  let instances: readonly SseBackplane[];

  beforeEach(async () => {
    await serve();
    instances = [await instance(), await instance()];
  });

  const some = (): SseBackplane => instances[Math.floor(Math.random() * 2)]!;
  const later = async <T>(step: () => Promise<T>): Promise<T> => {
    for (let turns = Math.floor(Math.random() * 40); turns > 0; turns--) await turn();
    return step();
  };

  describe('a purge while a channel is being opened', () => {
    const settings = settingsOf(KEEP);

    /** A client comes back that has the second of three events, while all are purged and others published. */
    async function comesBack(channel: string): Promise<'has all' | 'was told of a gap' | 'missed something'> {
      const publisher = some();
      const publish = (text: string) => publisher.append(channel, settings, stored(text));
      const positions = [await publish('1'), await publish('2'), await publish('3')];
      const other = Math.random() < 0.4 ? await new Listener(some(), channel, settings).ready : undefined;
      const client = later(async () => {
        const listener = await new Listener(some(), channel, settings).ready;
        return { listener, entries: await listener.after(positions[1]!) };
      });
      const steps = [
        later(() => some().purge(channel)),
        later(() => publish('4')),
        later(() => publish('5')),
      ];
      await Promise.all([client, ...steps]);
      const last = await publish('6');
      const { listener, entries } = await client;
      await eventually(() => listener.log.has(last));
      const got = new Set([...dataOfEntries(entries ?? []), ...dataOfEntries(listener.seen)]);
      const isTold = !entries || listener.told.includes('replaced');
      listener.stop();
      other?.stop();
      if (['3', '4', '5', '6'].every((text) => got.has(text))) return 'has all';
      return isTold ? 'was told of a gap' : 'missed something';
    }

    it('tells who was behind', async () => {
      const outcomes = new Set<string>();
      for (let round = 0; round < 60; round++)
        for (const outcome of await Promise.all(texts(8, `c/${round}/`).map(comesBack)))
          outcomes.add(outcome);
      expect(outcomes).not.toContain('missed something');
    });
  });

  describe('a completion while another publishes', () => {
    const settings = settingsOf({ ...KEEP, ttl: 1_500 });

    it('leaves a channel that begins anew without its past, for those who had that too', async () => {
      const [one, other] = instances as [SseBackplane, SseBackplane];
      let late = 0;
      for (let round = 0; round < 6; round++) {
        const channel = `g/${round}`;
        const listener = await new Listener(other, channel, settings).ready;
        const publish = (text: string) => one.append(channel, settings, stored(text));
        for (const text of texts(4)) await publish(text);
        const racing = [other.complete(channel, settings)];
        for (let n = 4; n < 24; n++) {
          const refused = (error: unknown): void => {
            expect(error).toEqual(code('CHANNEL_COMPLETED'));
            late++;
          };
          racing.push(publish(String(n)).then(() => undefined, refused));
          await turn();
        }
        await Promise.all(racing);
        const last = listener.log.head;
        listener.stop();
        await eventually(async () => publish('new').then(...yesOrNo));
        for (const backplane of instances) {
          const again = await new Listener(backplane, channel, settings).ready;
          expect(dataOfEntries(again.seen)).toEqual(['new']);
          expect(await again.after(last)).toBeUndefined();
          again.stop();
        }
        await one.purge(channel);
        expect((await other.read(channel, settings, { limit: 10 })).entries).toEqual([]);
      }
      // Otherwise nothing was tried.
      expect(late).toBeGreaterThan(0);
    });
  });
});

const yesOrNo = [() => true, () => false] as const;
