import { LEASE_TIME, type SseCluster } from '../../cluster/cluster.js';
import { numbers } from './channel-under-test.js';
import { eventually } from './eventually.js';
import type { Instances } from './instances.js';
import { expectRefusal, type TestGlobals } from './test-globals.js';

/** Milliseconds by which a busy machine may be late. */
const SLACK = 1_000;

/** Records the holders of a lease that several instances ask for. */
export class LeaseHistory {
  /** All holders, one after another. */
  readonly holders: SseCluster[] = [];
  /** The holders at this moment: never more than one. */
  readonly present = new Set<SseCluster>();
  /** The most that held it at a time. */
  most = 0;

  constructor(readonly name = 'lease') {}

  /** @returns gives it back */
  ask(cluster: SseCluster): () => void {
    return cluster.lead(this.name, (signal) => {
      this.holders.push(cluster);
      this.present.add(cluster);
      this.most = Math.max(this.most, this.present.size);
      signal.addEventListener('abort', () => this.present.delete(cluster));
    });
  }

  get holder(): SseCluster | undefined {
    return [...this.present][0];
  }

  /** Waits until somebody has held it as often as this, all in all. */
  async changes(count: number): Promise<void> {
    await eventually(() => this.holders.length >= count);
  }
}

/** A lease that the first instance holds, and that the others ask for. */
async function leaseOf(first: SseCluster, ...others: SseCluster[]) {
  const lease = new LeaseHistory();
  const giveBack = lease.ask(first);
  await lease.changes(1);
  for (const each of others) lease.ask(each);
  return { lease, giveBack };
}

/** The promises of `lead`. */
export function describeLeading({ describe, expect, it }: TestGlobals, instances: Instances): void {
  describe('lead', () => {
    it('lets one work at a time, of all that ask', async () => {
      const clusters = await instances.clusters(3);
      const lease = new LeaseHistory();
      const stops = new Map(clusters.map((cluster) => [cluster, lease.ask(cluster)]));
      for (let count = 1; count <= 3; count++) {
        await lease.changes(count);
        const { holder } = lease;
        stops.get(holder!)!();
        expect(lease.present.size).toBe(0);
      }
      expect(lease.most).toBe(1);
      expect(new Set(lease.holders)).toEqual(new Set(clusters));
    });

    it('begins in a later turn, and not at all when it is given back before', async () => {
      const [cluster] = await instances.clusters(1);
      const [lease, other] = [new LeaseHistory('a'), new LeaseHistory('b')];
      lease.ask(cluster!)();
      other.ask(cluster!);
      expect(other.present.size).toBe(0);
      await other.changes(1);
      expect(lease.holders).toEqual([]);
    });

    it('takes one who asks twice for two', async () => {
      const [cluster] = await instances.clusters(1);
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
      const [one, other, third] = await instances.clusters(3);
      const { lease, giveBack } = await leaseOf(one!, other!);
      await other!.broadcast('pause', 1);
      const beginnings: number[] = [];
      const timed = async (end: () => unknown): Promise<void> => {
        const endedAt = Date.now();
        await end();
        await lease.changes(lease.holders.length + 1 - lease.present.size);
        beginnings.push(Date.now() - endedAt);
      };
      await timed(giveBack);
      lease.ask(third!);
      await third!.broadcast('pause', 1);
      await timed(() => other!.close());
      expect(lease.holders).toEqual([one, other, third]);
      expect(lease.most).toBe(1);
      // Sooner than the next candidate would have asked again by itself.
      for (const milliseconds of beginnings) expect(milliseconds).toBeLessThan(500);
    });

    it('does not mix names, of which there may be many', async () => {
      const clusters = await instances.clusters(2);
      const leases = numbers(50).map((i) => new LeaseHistory(`lease ${i} / é.*>`));
      for (const lease of leases) for (const cluster of clusters) lease.ask(cluster);
      await Promise.all(leases.map((lease) => lease.changes(1)));
      await clusters[0]!.close();
      await eventually(() => leases.every(({ holder }) => holder === clusters[1]));
      expect(leases.every(({ most }) => most === 1)).toBe(true);
    });

    if (!instances.canBeCutOff) return;

    it('goes on as long as the holder gives signs of life', async () => {
      const [one, other] = await instances.clusters(2);
      const { lease } = await leaseOf(one!, other!);
      const until = Date.now() + LEASE_TIME + SLACK;
      await eventually(() => Date.now() > until);
      expect(lease.holders).toEqual([one]);
      expect(lease.present.size).toBe(1);
    }, 20_000);

    it('passes from a holder that is cut off to another in time, and not before the first has stopped', async () => {
      const [one, other] = [await instances.join(), await instances.join()];
      const { lease } = await leaseOf(one.cluster, other.cluster);
      one.cutOff!();
      const cutOffAt = Date.now();
      await lease.changes(2);
      expect(Date.now() - cutOffAt).toBeLessThan(LEASE_TIME + SLACK);
      expect([lease.most, lease.holder]).toEqual([1, other.cluster]);
      // Messages that the first had sent meanwhile arrive now, and take nothing from the second.
      one.restore!();
      const heard: unknown[] = [];
      one.cluster.listen('back', (message) => heard.push(message));
      await eventually(async () => {
        await other.cluster.broadcast('back', 1);
        return heard.length > 0;
      });
      expect(lease.holders).toEqual([one.cluster, other.cluster]);
      await other.cluster.close();
      await lease.changes(3);
      expect([lease.most, lease.holder]).toEqual([1, one.cluster]);
    }, 30_000);

    it('goes on after the server was away, with one at a time', async () => {
      const { server } = instances;
      const [one, other] = await instances.clusters(2);
      const { lease } = await leaseOf(one!, other!);
      await server!.stop();
      for (const cluster of [one!, other!])
        await expectRefusal(expect, 'BACKPLANE_AWAY', cluster.broadcast('news', 1), cluster.instances());
      await eventually(() => lease.present.size === 0);
      await server!.start();
      await lease.changes(2);
      expect(lease.most).toBe(1);
      for (const cluster of [one!, other!])
        await eventually(async () => (await cluster.instances().catch(() => [])).length === 2);
      expect(lease.most).toBe(1);
    }, 40_000);

    it('leaves a lease with its holder that does not know yet that the server was started anew', async () => {
      const { server } = instances;
      const one = await instances.join();
      const { lease } = await leaseOf(one.cluster, ...(await instances.clusters(2)));
      one.cutOff!();
      await server!.stop();
      await server!.start();
      await lease.changes(2);
      expect(lease.most).toBe(1);
      one.restore!();
    }, 40_000);
  });
}
