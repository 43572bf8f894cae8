import type { ChannelDefinitions } from '../channels/channel-definitions.js';
import type { OrderOutcome, Orders } from '../cluster/orders.js';
import { stringOf } from '../validate.js';
import type { Access } from './access.js';

/** Takes channels away from users, on all instances. */
export class Revocations {
  constructor(
    { connections }: Access,
    private readonly definitions: ChannelDefinitions,
    private readonly orders: Orders,
  ) {
    // revoke() acts; the order is answered with the number of connections that have lost the channel.
    orders.obey(
      'revoke',
      ({ user, channel }: { readonly user: string; readonly channel: string }, at) =>
        [...connections].filter((one) => one.user === user && one.revoke(channel, at)).length,
    );
  }

  /** @throws SseError as `hub.revoke()` */
  async revoke(user: string, channel: string): Promise<OrderOutcome> {
    stringOf('user', user);
    this.definitions.settingsOf(channel);
    return this.orders.give('revoke', { user, channel });
  }
}
