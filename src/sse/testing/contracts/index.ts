export { describeBackplane, type BackplaneUnderTest } from './backplane.contract.js';
export { describeCluster } from './cluster.contract.js';
export type { ClusterUnderTest, Member } from './instances.js';
export type { Expect, Matchers, TestGlobals } from './test-globals.js';
