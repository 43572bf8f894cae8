// @fastify/sse as it comes: it has no channels, so that to send to all is a loop over its replies.
import fastifySse from '@fastify/sse';
import fastify from 'fastify';
import { serve } from './serve.js';

const app = fastify();
await app.register(fastifySse);
const streams = new Set();
app.get('/events', { sse: 'only' }, async (_, { sse, raw }) => {
  sse.keepAlive();
  sse.sendHeaders();
  // It leaves the head unsent until the first event.
  raw.flushHeaders();
  streams.add(sse);
  sse.onClose(() => streams.delete(sse));
});
await app.ready();
serve({
  server: app.server,
  publish: (data) => {
    for (const sse of streams) sse.send({ data });
  },
  subscribers: () => streams.size,
});
