import { setTimeout as pause } from 'node:timers/promises';
import { LEASE_TIME, type SseCluster } from '../../cluster/cluster.js';
import { eventually } from './eventually.js';
import type { Instances } from './instances.js';
import type { TestGlobals } from './test-globals.js';

/** Milliseconds between two looks at the wills of others. */
const INTERVAL = 1_000;

/** The texts of the orphaned wills that an instance sees, by their ids. */
const orphanedFor = async (cluster: SseCluster): Promise<Record<string, string>> =>
  Object.fromEntries((await cluster.wills.orphaned()).map(({ id, text }) => [id, text]));

/** Looks as often as instances that carry out wills do, until there are some. */
async function untilOrphaned(cluster: SseCluster): Promise<Record<string, string>> {
  for (;;) {
    const orphaned = await orphanedFor(cluster);
    if (Object.keys(orphaned).length > 0) return orphaned;
    await pause(INTERVAL);
  }
}

/** All orphaned wills that are seen within that time. */
async function orphanedWithin(cluster: SseCluster, milliseconds: number): Promise<Record<string, string>> {
  const seen = {};
  for (const until = Date.now() + milliseconds; Date.now() < until; await pause(INTERVAL))
    Object.assign(seen, await orphanedFor(cluster).catch(() => ({})));
  return seen;
}

/** The promises of `wills`. */
export function describeWills({ describe, expect, it }: TestGlobals, instances: Instances): void {
  describe('wills', () => {
    it('are there until they are removed, and orphaned when their instance ends, also for one that starts later', async () => {
      const [one, other] = await instances.clusters(2);
      for (const [id, text] of [
        ['a', 'first'],
        ['b', 'before'],
        ['b', 'é\n\0😀'],
        ['c', 'third'],
      ] as const)
        await one!.wills.leave(id, text);
      await other!.wills.leave('d', 'of one who lives');
      for (const id of ['c', 'c', 'never left']) await one!.wills.remove(id);
      const areThere = ['a', 'b', 'c', 'never left'].map((id) => one!.wills.isThere(id));
      expect(await Promise.all(areThere)).toEqual([true, true, false, false]);
      expect(await orphanedFor(other!)).toEqual({});
      await one!.close();
      const [late] = await instances.clusters(1);
      const expected = { a: 'first', b: 'é\n\0😀' };
      expect(await Promise.all([untilOrphaned(other!), untilOrphaned(late!)])).toEqual([expected, expected]);
      for (const { id, instance } of await late!.wills.orphaned()) {
        expect(instance).toBe(one!.instance);
        await late!.wills.remove(id, instance);
      }
      expect(await orphanedFor(other!)).toEqual({});
      expect(await other!.wills.isThere('d')).toBe(true);
    }, 30_000);

    if (!instances.canBeCutOff) return;

    it('are orphaned by an instance that is cut off for longer, and not for less, than a lease holds', async () => {
      const [one, other] = [await instances.join(), await instances.join()];
      await one.cluster.wills.leave('a', 'x');
      const looks = orphanedWithin(other.cluster, LEASE_TIME + 4_000);
      one.cutOff!();
      await pause(LEASE_TIME - 500);
      one.restore!();
      expect(await looks).toEqual({});
      one.cutOff!();
      const cutOffAt = Date.now();
      expect(await untilOrphaned(other.cluster)).toEqual({ a: 'x' });
      expect(Date.now() - cutOffAt).toBeLessThan(2 * LEASE_TIME);
      one.restore!();
      await eventually(async () => (await other.cluster.instances()).length === 2);
      expect(await orphanedFor(other.cluster)).toEqual({});
      expect(await one.cluster.wills.isThere('a')).toBe(true);
    }, 60_000);

    it('are not orphaned by a server that was away, and can be left while it comes back', async () => {
      const { server } = instances;
      const [one, other] = await instances.clusters(2);
      await one!.wills.leave('a', 'x');
      await orphanedFor(other!);
      await server!.stop();
      await pause(LEASE_TIME);
      const looks = orphanedWithin(other!, 2 * LEASE_TIME);
      const left = one!.wills.leave('b', 'y');
      await server!.start();
      await left;
      expect(await looks).toEqual({});
      await one!.close();
      expect(await untilOrphaned(other!)).toMatchObject({ b: 'y' });
    }, 60_000);
  });
}
