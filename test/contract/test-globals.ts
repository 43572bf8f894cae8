import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { TestGlobals } from '../../src/sse/testing/index.js';

/** What Jest gives the suites that any test runner can run. */
export const jestGlobals: TestGlobals = { afterEach, beforeEach, describe, expect, it };
