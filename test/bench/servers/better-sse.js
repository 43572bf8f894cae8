// better-sse as it comes: sessions on node:http that are registered with one channel.
import { createServer } from 'node:http';
import { createChannel, createSession } from 'better-sse';
import { serve } from './serve.js';

const channel = createChannel();
const server = createServer(async (request, response) => {
  channel.register(await createSession(request, response));
});
serve({
  server,
  publish: (data) => channel.broadcast(data),
  subscribers: () => channel.sessionCount,
});
