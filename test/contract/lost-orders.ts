import { expect, it } from '@jest/globals';
import type { SseCluster } from '../../src/sse/index.js';
import { eventually } from '../support/eventually.js';
import { ReceivedOrders } from '../../src/sse/testing/contracts/orders.contract.js';
import type { ClusterUnderTest } from './cluster.contract.js';

/**
 * What becomes of orders when the server comes back older.
 *
 * @param make instances on a server whose state is saved now, and restored while it is stopped
 */
export function itNoticesLostOrders(
  make: () => Promise<{
    readonly made: ClusterUnderTest;
    readonly save: () => Promise<void>;
    readonly restore: () => Promise<void>;
  }>,
): void {
  it('is told that orders may be missed when the log is older than what was read', async () => {
    const { made, save, restore } = await make();
    const [one, other] = [await made.join(), await made.join()];
    const all = [one, other].map(({ cluster }) => new ReceivedOrders(cluster));
    await one.cluster.order(1);
    await Promise.all(all.map((each) => each.until(1)));
    await save();
    await give(other.cluster, 2);
    await Promise.all(all.map((each) => each.until(2)));
    const before = all.map(({ missed }) => missed);
    await restore();
    await eventually(() => all.every(({ missed }, i) => missed > before[i]!));
    await give(one.cluster, 3);
    await eventually(() => all.every(({ orders }) => orders.includes(3)));
    for (const { cluster } of [one, other]) await cluster.close();
    await made.dispose?.();
  });

  it('gives its order again where the log has lost it, for an instance that was away', async () => {
    const { made, save, restore } = await make();
    const [one, other] = [await made.join(), await made.join()];
    const [here, away] = [new ReceivedOrders(one.cluster), new ReceivedOrders(other.cluster)];
    await one.cluster.order(1);
    await away.until(1);
    await give(one.cluster, 'back');
    await away.until(2);
    await save();
    await eventually(async () => (await one.cluster.instances().catch(() => [])).length === 2);
    other.cutOff!();
    const given = performance.now();
    await give(one.cluster, 2);
    await here.until(3);
    const before = here.missed;
    await restore();
    await eventually(() => here.missed > before);
    other.restore!();
    await away.until(3);
    expect([away.orders, away.missed]).toEqual([[1, 'back', 2], 0]);
    expect(away.received[2]!.at).toBeLessThan(given + 500);
    for (const { cluster } of [one, other]) await cluster.close();
    await made.dispose?.();
  });
}

/** Gives an order, as soon as the server is there. */
const give = (cluster: SseCluster, order: unknown): Promise<void> =>
  eventually(() =>
    cluster.order(order).then(
      () => true,
      () => false,
    ),
  );
