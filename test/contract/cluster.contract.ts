import {
  describeCluster as describeWithGlobals,
  type ClusterUnderTest,
  type Member,
} from '../../src/sse/testing/contracts/index.js';
import { jestGlobals } from './test-globals.js';

export type { ClusterUnderTest, Member };

/** What every `SseCluster` promises. `make` is called before each test. */
export function describeCluster(
  name: string,
  make: () => ClusterUnderTest | Promise<ClusterUnderTest>,
  can: { readonly beCutOff: boolean },
): void {
  describeWithGlobals(jestGlobals, name, make, can);
}
