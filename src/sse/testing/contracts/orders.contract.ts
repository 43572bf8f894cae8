import type { SseCluster } from '../../cluster/cluster.js';
import { numbers } from './channel-under-test.js';
import { eventually } from './eventually.js';
import type { Instances } from './instances.js';
import { expectRefusal, type TestGlobals } from './test-globals.js';

/** Milliseconds by which the clocks of instances on one machine may seem to differ. */
const SLACK = 200;

/** Records the orders that an instance is given, and how often it is told that some may be missed. */
export class ReceivedOrders {
  readonly received: { readonly order: unknown; readonly at: number; readonly from: string }[] = [];
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

/** The promises of `order` and `obey`, beside those that `broadcast` makes too. */
export function describeOrders({ describe, expect, it }: TestGlobals, instances: Instances): void {
  describe('order', () => {
    it('comes to all in one order, whoever gives it, and says when it was given', async () => {
      const clusters = await instances.clusters(3);
      const all = clusters.map((cluster) => new ReceivedOrders(cluster));
      const before = performance.now();
      await Promise.all(
        clusters.flatMap((cluster, of) => numbers(30).map((number) => cluster.order({ of, number }))),
      );
      const after = performance.now();
      await Promise.all(all.map((one) => one.until(90)));
      for (const { orders, received, missed } of all) {
        expect([orders, missed]).toEqual([all[0]!.orders, 0]);
        for (const { at } of received) {
          expect(at).toBeGreaterThanOrEqual(before - 1);
          expect(at).toBeLessThan(after + SLACK);
        }
      }
      expect(new Set(all[0]!.orders.map((order) => JSON.stringify(order))).size).toBe(90);
      const [late] = await instances.clusters(1);
      const newcomer = new ReceivedOrders(late!);
      await late!.order('first');
      await newcomer.until(1);
      expect([newcomer.orders, newcomer.missed]).toEqual([['first'], 0]);
    });

    it('finds nobody away where all are there, or have said goodbye', async () => {
      const [one, other, third] = await instances.clusters(3);
      await third!.close();
      for (const cluster of [one!, other!]) expect(await cluster.away()).toEqual([]);
    });

    if (!instances.canBeCutOff) return;

    it('waits for an instance that is cut off, which obeys when it is back', async () => {
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
      // The time is that of the order, not that of reading it: requests that began in between are not meant.
      for (const [i, at] of given.entries()) {
        expect(there.received[i + 1]!.at).toBeGreaterThanOrEqual(at - 1);
        expect(there.received[i + 1]!.at).toBeLessThan(at + SLACK);
      }
      await eventually(async () => (await one.cluster.away()).length === 0);
    }, 20_000);

    it('is refused while the server is away, and the next one reaches all', async () => {
      const { server } = instances;
      const clusters = await instances.clusters(2);
      await server!.stop();
      await expectRefusal(expect, 'BACKPLANE_AWAY', clusters[0]!.order('lost'), clusters[0]!.away());
      await server!.start();
      const all = clusters.map((cluster) => new ReceivedOrders(cluster));
      const isGiven = (): Promise<boolean> =>
        clusters[0]!.order('next').then(
          () => true,
          () => false,
        );
      await eventually(isGiven);
      // If the server has lost the log, `missed()` is called in place of the order.
      await eventually(() => all.every(({ missed, orders }) => missed > 0 || orders.includes('next')));
    }, 20_000);
  });
}
