// The tests by kind, each a project: `npx jest --selectProjects unit` runs one of them. CONTRIBUTING.md says
// what each kind needs.
import { availableParallelism } from 'node:os';

/** How many times as long as usual a test may take, for a machine that is slow. */
const patience = Number(process.env.SSE_TEST_PATIENCE ?? 1);

const swc = {
  jsc: {
    target: 'es2023',
    parser: { syntax: 'typescript', decorators: true },
    transform: { legacyDecorator: true, decoratorMetadata: true },
    keepClassNames: true,
  },
  module: { type: 'nodenext' },
};

/** Tests that may take a long time because leases expire, servers fail over or load goes on: trials. */
const TRIALS = ['test/trials/**/*.spec.ts', 'test/**/*.trials.spec.ts'];

/**
 * A kind of test.
 * @param {string} displayName
 * @param {string[]} files globs
 * @param {number} seconds that a test may take; awaiting what never comes ends earlier, see `eventually()`
 * @param {import('jest').Config} more
 */
function project(displayName, files, seconds, more = {}) {
  return {
    displayName,
    testMatch: files.map((glob) => `<rootDir>/${glob}`),
    testPathIgnorePatterns: ['/node_modules/', '\\.trials\\.spec\\.ts$'],
    setupFilesAfterEnv: ['<rootDir>/test/support/time-limit.js'],
    globals: { SECONDS_PER_TEST: seconds * patience },
    // One mode for all specs of a worker, as Jest sets it once in a process; 'off' because LMDB's native part keeps
    // the JavaScript of the spec that has loaded it first.
    testEnvironmentOptions: { globalsCleanup: 'off' },
    extensionsToTreatAsEsm: ['.ts'],
    moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
    modulePathIgnorePatterns: ['<rootDir>/dist/'],
    transform: { '\\.ts$': ['@swc/jest', swc] },
    ...more,
  };
}

/** The programs that a project's tests need are installed before its first test. */
const programs = { globalSetup: '<rootDir>/test/support/global-setup.js' };

export default {
  maxWorkers: Math.min(availableParallelism(), 8),
  workerIdleMemoryLimit: '600MB',
  coverageProvider: 'v8',
  collectCoverageFrom: ['src/**/*.ts'],
  coverageReporters: ['text-summary', 'lcov'],
  projects: [
    project('unit', ['test/unit/**/*.spec.ts'], 20),
    project('e2e', ['test/e2e/**/*.spec.ts'], 60, programs),
    project('contract', ['test/{contract,model}/**/*.spec.ts'], 60, programs),
    project('docs', ['test/{docs,package,bench,simulation}/**/*.spec.ts'], 120, programs),
    project('browser', ['test/browser/**/*.spec.ts'], 60, programs),
    project('trials', TRIALS, 180, { ...programs, testPathIgnorePatterns: ['/node_modules/'] }),
  ],
};
