// Compile-time promises: checked by `npm run types`, never run.
import { defineChannel, type, type EventsOf, type InputsOf } from '../../src/sse/channels/index.js';
import { connect } from '../../src/sse/client/index.js';
import { SseModule, type SseHub } from '../../src/sse/index.js';
import { z } from 'zod';
import { isOf } from './expect-type.js';

interface Order {
  readonly id: string;
  readonly at: Date;
}

// As a file that a server and a page share.
const Orders = defineChannel('shops/:shop/orders', {
  events: { placed: type<Order>(), counted: z.object({ open: z.string().transform(Number) }) },
});
const orders = Orders.of({ shop: 7 });

export async function aServerPublishesItsInputs(hub: SseHub): Promise<void> {
  SseModule.forFeature([Orders]);
  isOf<{ readonly placed: Order; readonly counted: { open: string } }>()({} as InputsOf<typeof orders>, true);
  await hub.publish(orders, { type: 'placed', data: { id: '1', at: new Date() } });
  await hub.publish(orders, { type: 'counted', data: { open: '3' } });
  // @ts-expect-error: the output of the schema is not its input
  await hub.publish(orders, { type: 'counted', data: { open: 3 } });
  // @ts-expect-error: there is no such event
  await hub.publish(orders, { type: 'cancelled', data: undefined });
  hub.stream(orders).subscribe((event) => {
    if (event.type === 'placed') isOf<{ readonly id: string; readonly at: string }>()(event.data, true);
  });
}

export function aPageGetsItsEvents(): void {
  const client = connect<EventsOf<typeof orders>>(`/events?channel=${orders}`);
  client.on('placed', (data) => isOf<{ readonly id: string; readonly at: string }>()(data, true));
  client.on('counted', ({ open }) => isOf<number>()(open, true));
  connect<EventsOf<ReturnType<typeof Orders.of>>>('/events').on('counted', ({ open }) =>
    isOf<number>()(open, true),
  );
  // @ts-expect-error: there is no such event
  client.on('cancelled', () => undefined);
  // @ts-expect-error: the pattern has another parameter
  Orders.of({ store: 7 });
}
