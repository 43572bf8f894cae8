import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { TestGlobals } from '../../src/sse/testing/contracts/index.js';

/**
 * What Jest gives the suites that any test runner can run. The time limits that the suites ask for are
 * left out: they are for runners with short ones, and here each project has its own.
 */
export const jestGlobals: TestGlobals = {
  afterEach,
  beforeEach,
  describe,
  expect,
  it: (name, test) => it(name, test),
};
