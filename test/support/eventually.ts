/** One way to poll for the whole suite, and for the suites that users run. */
export { eventually } from '../../src/sse/testing/contracts/eventually.js';
