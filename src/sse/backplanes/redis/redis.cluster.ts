import { RemoteCluster } from '../remote/remote-cluster.js';
import { RedisClusterLink } from './redis-cluster.link.js';
import { RedisWills } from './redis.wills.js';

/** The instances that use one Redis under one prefix. */
export class RedisCluster extends RemoteCluster {
  /** Two connections that others may use too; `close()` leaves them open. */
  constructor(...connections: ConstructorParameters<typeof RedisClusterLink>) {
    const [client, , prefix] = connections;
    super(new RedisClusterLink(...connections), new RedisWills(client, prefix));
  }
}
