export { entriesOf, Listener } from '../../src/sse/testing/listener.js';
