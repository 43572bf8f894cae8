import type { SseCluster } from '../cluster/cluster.js';
import { LEASE_TIME } from '../cluster/cluster.js';
import { eventually } from './eventually.js';
import type { Instances } from './instances.js';
import type { TestGlobals } from './test-globals.js';

/** Milliseconds by which the clocks of instances on one machine may seem to differ. */
const LITTLE = 200;

interface ReceivedOrder {
  readonly order: unknown;
  readonly at: number;
  readonly from: string;
}

/** Records the orders that an instance is given, and how often it is told that some may be missed. */
export class ReceivedOrders {
  readonly received: ReceivedOrder[] = [];
  missed = 0;
  readonly end: () => void;

  constructor(cluster: SseCluster) {
    this.end = cluster.obey({
      given: (order, at, from) => this.received.push({ order, at, from }),
      missed: () => this.missed++,
    });
  }

  get orders(): unknown[] {
    return this.received.map(({ order }) => order);
  }

  async until(count: number): Promise<void> {
    await eventually(() => this.received.length >= count);
  }
}

/** The promises of `order` and `obey`. */
export function describeOrders(
  test: TestGlobals,
  instances: Instances,
  can: { readonly beCutOff: boolean },
): void {
  const { describe, expect, it } = test;
  describe('order', () => {
    it('reaches every instance once, itself too, and says who gave it and when', async () => {
      const clusters = await instances.clusters(3);
      const all = clusters.map((cluster) => new ReceivedOrders(cluster));
      const order = { text: 'é\n\0😀', list: [1, null, { a: false }] };
      const before = performance.now();
      await clusters[1]!.order(order);
      const after = performance.now();
      await clusters[1]!.order('end');
      await Promise.all(all.map((one) => one.until(2)));
      for (const { received, orders, missed } of all) {
        expect([orders, missed]).toEqual([[order, 'end'], 0]);
        expect(received[0]!.from).toBe(clusters[1]!.instance);
        expect(received[0]!.at).toBeGreaterThanOrEqual(before - 1);
        expect(received[0]!.at).toBeLessThan(after + LITTLE);
      }
    });

    it('comes to all in one order, whoever gives it', async () => {
      const clusters = await instances.clusters(3);
      const all = clusters.map((cluster) => new ReceivedOrders(cluster));
      const numbers = Array.from({ length: 30 }, (_, i) => i);
      await Promise.all(
        clusters.flatMap((cluster, of) => numbers.map((number) => cluster.order({ of, number }))),
      );
      await Promise.all(all.map((one) => one.until(90)));
      for (const { orders } of all) expect(orders).toEqual(all[0]!.orders);
      expect(new Set(all[0]!.orders.map((order) => JSON.stringify(order))).size).toBe(90);
    });

    it('is what it was at the call, and reaches nobody in its turn', async () => {
      const [cluster] = await instances.clusters(1);
      const one = new ReceivedOrders(cluster!);
      const order = { n: 1 };
      const given = cluster!.order(order);
      order.n = 2;
      expect(one.orders).toEqual([]);
      await given;
      await one.until(1);
      expect(one.orders).toEqual([{ n: 1 }]);
    });

    it('is for those who were there when it was given, and obey', async () => {
      const [one, other] = await instances.clusters(2);
      const [all, none, again] = [
        new ReceivedOrders(other!),
        new ReceivedOrders(other!),
        new ReceivedOrders(other!),
      ];
      none.end();
      none.end();
      await one!.order(1);
      await again.until(1);
      again.end();
      const [late] = await instances.clusters(1);
      const newcomer = new ReceivedOrders(late!);
      await one!.order(2);
      await Promise.all([all.until(2), newcomer.until(1)]);
      expect([all, none, again, newcomer].map(({ orders }) => orders)).toEqual([[1, 2], [], [1], [2]]);
      expect(newcomer.missed).toBe(0);
    });

    it('finds nobody away where all are there, or have said goodbye', async () => {
      const [one, other, third] = await instances.clusters(3);
      await third!.close();
      for (const cluster of [one!, other!]) expect(await cluster.away()).toEqual([]);
    });

    it('is neither given nor obeyed by an instance that has closed', async () => {
      const [one, other] = await instances.clusters(2);
      const [gone, there] = [new ReceivedOrders(one!), new ReceivedOrders(other!)];
      await one!.close();
      const late = new ReceivedOrders(one!);
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
        const [one, other] = [await instances.join(), await instances.join()];
        const [here, there] = [new ReceivedOrders(one.cluster), new ReceivedOrders(other.cluster)];
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
          expect(there.received[i + 1]!.at).toBeGreaterThanOrEqual(at - 1);
          expect(there.received[i + 1]!.at).toBeLessThan(at + LITTLE);
        }
        await eventually(async () => (await one.cluster.away()).length === 0);
      },
      4 * LEASE_TIME,
    );

    it('is refused while the server is away, and the next one reaches all', async () => {
      const { server } = instances;
      const clusters = await instances.clusters(2);
      await server!.stop();
      const refusal = expect.objectContaining({ name: 'SseError', code: 'BACKPLANE_AWAY' });
      await expect(clusters[0]!.order('lost')).rejects.toEqual(refusal);
      await expect(clusters[0]!.away()).rejects.toEqual(refusal);
      await server!.start();
      const all = clusters.map((cluster) => new ReceivedOrders(cluster));
      const isGiven = (): Promise<boolean> =>
        clusters[0]!.order('next').then(
          () => true,
          () => false,
        );
      await eventually(isGiven);
      // A server that has lost the log cannot tell what it had: that is told, and stands for the order.
      await eventually(() => all.every(({ missed, orders }) => missed > 0 || orders.includes('next')));
    }, 20_000);
  });
}
