import { RemoteCluster } from '../common/remote-cluster.js';
import { RedisClusterLink } from './redis-cluster.link.js';
import type { RedisConnection } from './redis.connection.js';
import { RedisWills } from './redis.wills.js';

/** The instances that use one Redis under one prefix. */
export class RedisCluster extends RemoteCluster {
  /** A connection that others may use too; `close()` leaves it open. */
  constructor(connection: RedisConnection) {
    super(new RedisClusterLink(connection), new RedisWills(connection));
  }
}
