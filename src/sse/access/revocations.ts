import type { OrderOutcome, Orders } from '../cluster/orders.js';
import type { Connections } from '../http/connections.js';

/** Takes channels away from users, on all instances. */
export class Revocations {
  constructor(
    open: Connections,
    private readonly orders: Orders,
  ) {
    orders.obey(
      'revoke',
      ({ user, channel }: { readonly user: string; readonly channel: string }, at) =>
        open.matching({ user }).filter(({ access }) => access?.revoke(channel, at)).length,
    );
  }

  /** @throws SseError `BACKPLANE_AWAY`, `HUB_CLOSED`: it was done in this process alone */
  revoke(user: string, channel: string): Promise<OrderOutcome> {
    return this.orders.give('revoke', { user, channel });
  }
}
