import type { SseCluster } from '../cluster/cluster.js';

/** Instances of one application, which know of nobody else. */
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
  /** Keeps everything from it and to it, without a word to it, until `restore()`. Not where it cannot happen. */
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
