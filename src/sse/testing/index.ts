export { describeBackplane, type BackplaneUnderTest } from './backplane.contract.js';
export { describeCluster, type ClusterUnderTest, type Member } from './cluster.contract.js';
export type { Expect, Matchers, TestGlobals } from './test-globals.js';
