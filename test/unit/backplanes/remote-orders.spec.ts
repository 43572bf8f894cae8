import { Logger } from '@nestjs/common';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { ClusterLink } from '../../../src/sse/backplanes/common/cluster-link.js';
import { RemoteOrders } from '../../../src/sse/backplanes/common/remote-orders.js';

// That orders may be lost is warned of.
beforeAll(() => Logger.overrideLogger(false));
afterAll(() => Logger.overrideLogger(true));

it('takes no order for the next one on a new connection before it has read on: the log may be another', async () => {
  let isOther = false;
  const link: Partial<ClusterLink> = {
    time: async () => Date.now(),
    orders: {
      end: async () => '0 a',
      read: async (after) => (isOther && after === '1 b' ? undefined : []),
      add: async () => ({ position: '', previous: undefined }),
    },
  };
  const orders = new RemoteOrders('me', link as ClusterLink, async () => undefined);
  await orders.start();
  const told: unknown[] = [];
  orders.follow({ given: (order) => told.push(order), missed: () => told.push('missed') });
  const receive = (previous: string, position: string, order: unknown): void => {
    const text = JSON.stringify({ id: position, from: 'other', at: Date.now(), order });
    orders.receive({ previous, position, text });
  };
  receive('0 a', '1 b', 'first');
  isOther = true;
  orders.reconnected();
  receive('1 b', '2 c', 'of another log');
  await orders.catchUp();
  expect(told).toEqual(['first', 'missed']);
});
