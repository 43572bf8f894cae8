import {
  describeBackplane as describeWithGlobals,
  type BackplaneUnderTest,
} from '../../src/sse/testing/contracts/index.js';
import { jestGlobals } from './test-globals.js';

export { settingsOf, stored } from '../../src/sse/testing/contracts/channel-under-test.js';
export type { BackplaneUnderTest };

/** What every `SseBackplane` promises. `make` is called before each test. */
export function describeBackplane(
  name: string,
  make: () => BackplaneUnderTest | Promise<BackplaneUnderTest>,
  can?: { readonly beCutOff: boolean },
): void {
  describeWithGlobals(jestGlobals, name, make, can);
}
