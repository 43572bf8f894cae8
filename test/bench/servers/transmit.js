// @boringnode/transmit on node:http. Its clients subscribe by a second request; here the server does it for each stream.
import { createServer } from 'node:http';
import { Transmit } from '@boringnode/transmit';
import { serve } from './serve.js';

const CHANNEL = 'bench';
const transmit = new Transmit({ pingInterval: false, transport: null });
let streams = 0;
const server = createServer((request, response) => {
  const uid = String(++streams);
  transmit.createStream({ uid, context: {}, request, response, injectResponseHeaders: {} });
  transmit.subscribe({ uid, channel: CHANNEL, context: {} });
});
serve({
  server,
  publish: (data) => transmit.broadcast(CHANNEL, data),
  subscribers: () => transmit.getSubscribersFor(CHANNEL).length,
});
