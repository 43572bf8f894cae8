export { entriesOf, LateReader, Listener } from '../../src/sse/testing/listener.js';
