export { Office } from '../../src/sse/testing/office.js';
