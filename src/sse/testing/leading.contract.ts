import type { SseCluster } from '../cluster/cluster.js';
import { LEASE_TIME } from '../cluster/cluster.js';
import { eventually } from './eventually.js';
import type { Scene } from './scene.js';
import { Office } from './office.js';
import type { TestGlobals } from './test-globals.js';

/** Milliseconds for a machine that is busy with other things. */
const LITTLE = 1_000;

/** What `lead` promises. */
export function describeLeading(test: TestGlobals, scene: Scene, can: { readonly beCutOff: boolean }): void {
  const { describe, expect, it } = test;
  describe('lead', () => {
    it('lets one work at a time, of all that ask', async () => {
      const clusters = await scene.clusters(3);
      const office = new Office();
      const stops = new Map(clusters.map((cluster) => [cluster, office.ask(cluster)]));
      for (let count = 1; count <= 3; count++) {
        await office.changes(count);
        const { holder } = office;
        stops.get(holder!)!();
        expect(office.present.size).toBe(0);
      }
      expect(office.most).toBe(1);
      expect(new Set(office.holders)).toEqual(new Set(clusters));
    });

    it('begins in a later turn, and not at all when it is given back before', async () => {
      const [cluster] = await scene.clusters(1);
      const [office, other] = [new Office('a'), new Office('b')];
      office.ask(cluster!)();
      other.ask(cluster!);
      expect(other.present.size).toBe(0);
      await other.changes(1);
      expect(office.holders).toEqual([]);
    });

    it('takes one who asks twice for two', async () => {
      const [cluster] = await scene.clusters(1);
      const begun: string[] = [];
      const first = cluster!.lead('twice', () => begun.push('first'));
      await eventually(() => begun.length === 1);
      cluster!.lead('twice', () => begun.push('second'));
      await cluster!.broadcast('pause', 1);
      expect(begun).toEqual(['first']);
      first();
      first();
      await eventually(() => begun.length === 2);
    });

    it('gives a lease on at once when it is given back, and when its holder closes', async () => {
      const [one, other, third] = await scene.clusters(3);
      const office = new Office();
      const stop = office.ask(one!);
      await office.changes(1);
      office.ask(other!);
      await other!.broadcast('pause', 1);
      const beginnings: number[] = [];
      const timed = async (end: () => unknown): Promise<void> => {
        const endedAt = Date.now();
        await end();
        await office.changes(office.holders.length + 1 - office.present.size);
        beginnings.push(Date.now() - endedAt);
      };
      await timed(stop);
      office.ask(third!);
      await third!.broadcast('pause', 1);
      await timed(() => other!.close());
      expect(office.holders).toEqual([one, other, third]);
      expect(office.most).toBe(1);
      // Less than a beat: nobody has waited until somebody asks again.
      for (const milliseconds of beginnings) expect(milliseconds).toBeLessThan(500);
    });

    it('does not mix names, of which there may be many', async () => {
      const clusters = await scene.clusters(2);
      const names = Array.from({ length: 50 }, (_, i) => `lease ${i} / é.*>`);
      const offices = names.map((name) => new Office(name));
      for (const office of offices) for (const cluster of clusters) office.ask(cluster);
      await Promise.all(offices.map((office) => office.changes(1)));
      await clusters[0]!.close();
      await eventually(() => offices.every(({ holder }) => holder === clusters[1]));
      expect(offices.every(({ most }) => most === 1)).toBe(true);
    });

    if (!can.beCutOff) return;

    it('goes on as long as the holder gives signs of life', async () => {
      const [one, other] = await scene.clusters(2);
      const office = new Office();
      office.ask(one!);
      await office.changes(1);
      office.ask(other!);
      const until = Date.now() + LEASE_TIME + LITTLE;
      await eventually(() => Date.now() > until);
      expect(office.holders).toEqual([one]);
      expect(office.present.size).toBe(1);
    }, 20_000);

    it('passes from a holder that is cut off to another in time, and not before the first has stopped', async () => {
      const [one, other] = [await scene.member(), await scene.member()];
      const office = new Office();
      office.ask(one.cluster);
      await office.changes(1);
      office.ask(other.cluster);
      one.cutOff!();
      const cutOffAt = Date.now();
      await office.changes(2);
      expect(Date.now() - cutOffAt).toBeLessThan(LEASE_TIME + LITTLE);
      expect([office.most, office.holder]).toEqual([1, other.cluster]);
      // What the first had sent meanwhile arrives now, and takes nothing from the second.
      one.restore!();
      const heard: unknown[] = [];
      one.cluster.listen('back', (message) => heard.push(message));
      await eventually(async () => {
        await other.cluster.broadcast('back', 1);
        return heard.length > 0;
      });
      expect(office.holders).toEqual([one.cluster, other.cluster]);
      await other.cluster.close();
      await office.changes(3);
      expect([office.most, office.holder]).toEqual([1, one.cluster]);
    }, 30_000);

    it('goes on after the server was away, with one at a time', async () => {
      const { server } = scene;
      const clusters = await scene.clusters(2);
      const office = new Office();
      for (const cluster of clusters) office.ask(cluster);
      await office.changes(1);
      await server!.stop();
      const refusal = expect.objectContaining({ name: 'SseError', code: 'BACKPLANE_AWAY' });
      for (const cluster of clusters) {
        await expect(cluster.broadcast('news', 1)).rejects.toEqual(refusal);
        await expect(cluster.instances()).rejects.toEqual(refusal);
      }
      await eventually(() => office.present.size === 0);
      await server!.start();
      await office.changes(2);
      expect(office.most).toBe(1);
      await eventually(() => isWhole(clusters));
      expect(office.most).toBe(1);
    }, 40_000);

    it('leaves a lease with its holder that does not know yet that the server was started anew', async () => {
      const { server } = scene;
      const [one, ...others] = [await scene.member(), await scene.member(), await scene.member()];
      const office = new Office();
      office.ask(one.cluster);
      await office.changes(1);
      for (const { cluster } of others) office.ask(cluster);
      one.cutOff!();
      await server!.stop();
      await server!.start();
      await office.changes(2);
      expect(office.most).toBe(1);
      one.restore!();
    }, 40_000);
  });
}

/** Whether all are there again. */
async function isWhole(clusters: readonly SseCluster[]): Promise<boolean> {
  const seen = await Promise.all(clusters.map((cluster) => cluster.instances().catch(() => [])));
  return seen.every((instances) => instances.length === clusters.length);
}
