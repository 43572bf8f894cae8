import type { ChannelHandlers } from '../handlers/channel-handlers.js';
import type { ConnectionFeatures } from '../http/connection-part.js';
import type { SseSettings } from '../sse.settings.js';
import { Authorization } from './authorization.js';
import { ConnectionAccess } from './connection-access.js';
import { Expiries } from './expiries.js';

/**
 * Access control of this application. A connection gets a {@link ConnectionAccess} if it has a user, or if the
 * application restricts any channel.
 */
export class Access {
  readonly authorization: Authorization;
  /** When the identities of open connections expire. */
  readonly expiries = new Expiries();
  /** The access of each open connection that has one. */
  readonly connections = new Set<ConnectionAccess>();
  /** Milliseconds after which open streams are asked about again; 0 for never. */
  readonly reauthorize: number;

  constructor(settings: SseSettings, handlers: ChannelHandlers, features: ConnectionFeatures) {
    this.authorization = new Authorization(handlers, settings.authorizeTime, settings.unguarded);
    this.reauthorize = settings.reauthorize;
    features.plugIn((connection) => {
      // Without a user and without restricted channels there is nothing to ask, to revoke, or to expire.
      const isConcerned = connection.identity !== undefined || this.authorization.restrictsAny;
      return isConcerned ? new ConnectionAccess(connection, this) : undefined;
    });
  }
}
