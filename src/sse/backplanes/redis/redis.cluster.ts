import { RemoteCluster } from '../remote/remote-cluster.js';
import { RedisClusterLink } from './redis-cluster.link.js';

/** The instances that use one Redis under one prefix. */
export class RedisCluster extends RemoteCluster {
  /** Two connections that others may use too; `close()` leaves them open. */
  constructor(...connections: ConstructorParameters<typeof RedisClusterLink>) {
    super(new RedisClusterLink(...connections));
  }
}
