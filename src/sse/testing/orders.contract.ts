import type { SseCluster } from '../cluster/cluster.js';
import { LEASE_TIME } from '../cluster/cluster.js';
import { eventually } from './eventually.js';
import type { Scene } from './scene.js';
import type { TestGlobals } from './test-globals.js';

/** Milliseconds by which the clocks of instances on one machine may seem to differ. */
const LITTLE = 200;

interface Obeyed {
  readonly order: unknown;
  readonly at: number;
  readonly from: string;
}

/** What an instance is ordered, and how often it is told that something was missed. */
export class Obedience {
  readonly obeyed: Obeyed[] = [];
  missed = 0;
  readonly end: () => void;

  constructor(cluster: SseCluster) {
    this.end = cluster.obey({
      given: (order, at, from) => this.obeyed.push({ order, at, from }),
      missed: () => this.missed++,
    });
  }

  get orders(): unknown[] {
    return this.obeyed.map(({ order }) => order);
  }

  async until(count: number): Promise<void> {
    await eventually(() => this.obeyed.length >= count);
  }
}

/** What `order` and `obey` promise. */
export function describeOrders(test: TestGlobals, scene: Scene, can: { readonly beCutOff: boolean }): void {
  const { describe, expect, it } = test;
  describe('order', () => {
    it('reaches every instance once, itself too, and says who gave it and when', async () => {
      const clusters = await scene.clusters(3);
      const all = clusters.map((cluster) => new Obedience(cluster));
      const order = { text: 'é\n\0😀', list: [1, null, { a: false }] };
      const before = performance.now();
      await clusters[1]!.order(order);
      const after = performance.now();
      await clusters[1]!.order('end');
      await Promise.all(all.map((one) => one.until(2)));
      for (const { obeyed, orders, missed } of all) {
        expect([orders, missed]).toEqual([[order, 'end'], 0]);
        expect(obeyed[0]!.from).toBe(clusters[1]!.instance);
        expect(obeyed[0]!.at).toBeGreaterThanOrEqual(before - 1);
        expect(obeyed[0]!.at).toBeLessThan(after + LITTLE);
      }
    });

    it('comes to all in one order, whoever gives it', async () => {
      const clusters = await scene.clusters(3);
      const all = clusters.map((cluster) => new Obedience(cluster));
      const numbers = Array.from({ length: 30 }, (_, i) => i);
      await Promise.all(
        clusters.flatMap((cluster, of) => numbers.map((number) => cluster.order({ of, number }))),
      );
      await Promise.all(all.map((one) => one.until(90)));
      for (const { orders } of all) expect(orders).toEqual(all[0]!.orders);
      expect(new Set(all[0]!.orders.map((order) => JSON.stringify(order))).size).toBe(90);
    });

    it('is what it was at the call, and reaches nobody in its turn', async () => {
      const [cluster] = await scene.clusters(1);
      const one = new Obedience(cluster!);
      const order = { n: 1 };
      const given = cluster!.order(order);
      order.n = 2;
      expect(one.orders).toEqual([]);
      await given;
      await one.until(1);
      expect(one.orders).toEqual([{ n: 1 }]);
    });

    it('is for those who were there when it was given, and obey', async () => {
      const [one, other] = await scene.clusters(2);
      const [all, none, again] = [new Obedience(other!), new Obedience(other!), new Obedience(other!)];
      none.end();
      none.end();
      await one!.order(1);
      await again.until(1);
      again.end();
      const [late] = await scene.clusters(1);
      const newcomer = new Obedience(late!);
      await one!.order(2);
      await Promise.all([all.until(2), newcomer.until(1)]);
      expect([all, none, again, newcomer].map(({ orders }) => orders)).toEqual([[1, 2], [], [1], [2]]);
      expect(newcomer.missed).toBe(0);
    });

    it('finds nobody away where all are there, or have said goodbye', async () => {
      const [one, other, third] = await scene.clusters(3);
      await third!.close();
      for (const cluster of [one!, other!]) expect(await cluster.away()).toEqual([]);
    });

    it('is given and obeyed by nobody who has closed', async () => {
      const [one, other] = await scene.clusters(2);
      const [gone, there] = [new Obedience(one!), new Obedience(other!)];
      await one!.close();
      const late = new Obedience(one!);
      const refusal = expect.objectContaining({ name: 'SseError', code: 'HUB_CLOSED' });
      await expect(one!.order(1)).rejects.toEqual(refusal);
      await expect(one!.away()).rejects.toEqual(refusal);
      await other!.order(2);
      await there.until(1);
      expect([gone.orders, late.orders, there.orders]).toEqual([[], [], [2]]);
    });

    if (!can.beCutOff) return;

    it(
      'waits for an instance that is cut off, which obeys when it is back',
      async () => {
        const [one, other] = [await scene.member(), await scene.member()];
        const [here, there] = [new Obedience(one.cluster), new Obedience(other.cluster)];
        await one.cluster.order('before');
        await there.until(1);
        other.cutOff!();
        const given: number[] = [];
        for (const order of ['first', 'second']) {
          given.push(performance.now());
          await one.cluster.order(order);
        }
        await here.until(3);
        await eventually(async () => (await one.cluster.away()).length > 0);
        expect(await one.cluster.away()).toEqual([other.cluster.instance]);
        expect(there.orders).toEqual(['before']);
        other.restore!();
        await there.until(3);
        expect([there.orders, there.missed]).toEqual([['before', 'first', 'second'], 0]);
        // Not when it was read: what has begun since then is another matter.
        for (const [i, at] of given.entries()) {
          expect(there.obeyed[i + 1]!.at).toBeGreaterThanOrEqual(at - 1);
          expect(there.obeyed[i + 1]!.at).toBeLessThan(at + LITTLE);
        }
        await eventually(async () => (await one.cluster.away()).length === 0);
      },
      4 * LEASE_TIME,
    );

    it('is refused while the server is away, and the next one reaches all', async () => {
      const { server } = scene;
      const clusters = await scene.clusters(2);
      await server!.stop();
      const refusal = expect.objectContaining({ name: 'SseError', code: 'BACKPLANE_AWAY' });
      await expect(clusters[0]!.order('lost')).rejects.toEqual(refusal);
      await expect(clusters[0]!.away()).rejects.toEqual(refusal);
      await server!.start();
      const all = clusters.map((cluster) => new Obedience(cluster));
      const isGiven = (): Promise<boolean> =>
        clusters[0]!.order('next').then(
          () => true,
          () => false,
        );
      await eventually(isGiven);
      // Where the server has lost the log, nobody knows what it had: that is told, and stands for the order.
      await eventually(() => all.every(({ missed, orders }) => missed > 0 || orders.includes('next')));
    }, 20_000);
  });
}
