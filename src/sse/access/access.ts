import type { ChannelDefinitions } from '../channels/channel-definitions.js';
import type { OrderOutcome, Orders } from '../cluster/orders.js';
import type { ChannelHandlers } from '../handlers/channel-handlers.js';
import type { ConnectionFeatures } from '../http/connection-part.js';
import type { SseSettings } from '../sse.settings.js';
import { SparseLog } from '../sparse-log.js';
import { stringOf } from '../validate.js';
import { Authorization } from './authorization.js';
import { ConnectionAccess } from './connection-access.js';
import { Expiries } from './expiries.js';

/**
 * Access control of this application: authorization.ts asks who may stream a channel, connection-access.ts acts on the
 * answers for one connection, expiries.ts ends connections whose identity expires. `revoke()` takes a channel away on
 * all instances.
 */
export class Access {
  readonly authorization: Authorization;
  readonly log = new SparseLog();
  /** When the identities of open connections expire. */
  readonly expiries = new Expiries();
  /** The access of each open connection that has one. */
  readonly connections = new Set<ConnectionAccess>();
  /** Milliseconds after which open streams are asked about again; 0 for never. */
  readonly reauthorize: number;

  constructor(
    settings: SseSettings,
    handlers: ChannelHandlers,
    private readonly definitions: ChannelDefinitions,
    private readonly orders: Orders,
    features: ConnectionFeatures,
  ) {
    this.authorization = new Authorization(handlers, settings.authorizeTime, settings.unguarded);
    this.reauthorize = settings.reauthorize;
    features.plugIn((connection) => {
      // Without a user and without restricted channels there is nothing to ask, to revoke, or to expire.
      const isConcerned = connection.identity !== undefined || this.authorization.restrictsAny;
      return isConcerned ? new ConnectionAccess(connection, this) : undefined;
    });
    orders.obey('revoke', (order: { readonly user: string; readonly channel: string }, at) =>
      this.#revokeHere(order.user, order.channel, at),
    );
  }

  /** @throws SseError as `hub.revoke()` */
  async revoke(user: string, channel: string): Promise<OrderOutcome> {
    stringOf('user', user);
    this.definitions.settingsOf(channel);
    return this.orders.give('revoke', { user, channel });
  }

  /** @returns how many connections of this process have lost the channel */
  #revokeHere(user: string, channel: string, at: number): number {
    let lost = 0;
    for (const connection of this.connections)
      if (connection.user === user && connection.revoke(channel, at)) lost++;
    return lost;
  }
}
