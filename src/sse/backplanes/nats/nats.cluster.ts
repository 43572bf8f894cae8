import { RemoteCluster } from '../common/remote-cluster.js';
import { NatsClusterLink } from './nats-cluster.link.js';
import { NatsWills } from './nats.wills.js';

/** The instances that use one NATS under one prefix. */
export class NatsCluster extends RemoteCluster {
  /** A connection that others may use too; `close()` leaves it open. */
  constructor(...parts: ConstructorParameters<typeof NatsClusterLink>) {
    super(new NatsClusterLink(...parts), new NatsWills(...parts));
  }
}
