import type { SseCluster } from '../../cluster/cluster.js';

/** Instances of one application, apart from those of other tests. */
export interface ClusterUnderTest {
  /** One more instance, which has joined the others. */
  join(): Promise<Member>;
  /** The process that ties the instances together, where it can stop. */
  readonly server?: { stop(): Promise<void>; start(): Promise<void> };
  /** Gives back what the test needed. Called after `close()` of all instances. */
  dispose?(): Promise<void>;
}

export interface Member {
  readonly cluster: SseCluster;
  /** Drops, silently, all that comes from it or goes to it, until `restore()`. Left out where that cannot happen. */
  cutOff?(): void;
  restore?(): void;
}

/** The instances of one test. */
export interface Instances {
  readonly server: ClusterUnderTest['server'];
  /** Whether they can be cut off from each other; then their `cutOff` and `restore` and the `server` are there. */
  readonly canBeCutOff: boolean;
  join(): Promise<Member>;
  clusters(count: number): Promise<SseCluster[]>;
}
