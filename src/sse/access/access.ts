import type { ChannelHandlers } from '../handlers/channel-handlers.js';
import type { ConnectionFeatures } from '../http/connection-part.js';
import type { SseSettings } from '../sse.settings.js';
import { Authorization } from './authorization.js';
import { ConnectionAccess } from './connection-access.js';
import { Expiries } from './expiries.js';

/** Access control of this application: it takes part in each connection that it has to do with. */
export class Access {
  readonly authorization: Authorization;
  /** When the identities of open connections expire. */
  readonly expiries = new Expiries();
  /** The connections that it has to do with, as long as they are open. */
  readonly connections = new Set<ConnectionAccess>();
  /** Milliseconds after which open streams are asked about again; 0 for never. */
  readonly reauthorize: number;

  constructor(settings: SseSettings, handlers: ChannelHandlers, features: ConnectionFeatures) {
    this.authorization = new Authorization(handlers, settings.authorizeTime, settings.unguarded);
    this.reauthorize = settings.reauthorize;
    features.plugIn((connection) => {
      // A connection of nobody in an application that guards nothing pays for nothing.
      const isConcerned = connection.identity !== undefined || this.authorization.isUsed;
      return isConcerned ? new ConnectionAccess(connection, this) : undefined;
    });
  }
}
