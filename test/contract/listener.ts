export { entriesOf, LateReader, Listener } from '../../src/sse/testing/contracts/listener.js';
