// The least that node:http can do: a new client gets what it has missed as one Buffer, and each event is written to each client.
import { createServer } from 'node:http';
import { serve } from './publisher.js';

/** Milliseconds that a client has to read its last bytes: the default of this package. */
const GRACE = 1_000;
const HEAD = { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-cache' };

const responses = { bench: new Set(), bulk: new Set() };
/** All that was published to the herd, as one text for those who come: made anew when that has grown. */
let past = '';
let replay = Buffer.alloc(0);
let length = 0;
let nextId = 0;

const server = createServer((request, response) => {
  if (request.url === '/healthz') {
    response.end('ok');
    return;
  }
  if (past.length > length) {
    replay = Buffer.from(past);
    length = past.length;
  }
  response.writeHead(200, HEAD);
  response.write(replay);
  join(response, 'bench');
  if (request.url === '/bulk') join(response, 'bulk');
});

function join(response, channel) {
  responses[channel].add(response);
  response.on('close', () => responses[channel].delete(response));
}

serve({
  server,
  publish(channel, data) {
    // As long as an id of this package.
    const id = `${nextId++}.12345678abcd`;
    const text = `id: ${id}\ndata: ${JSON.stringify(data)}\n\n`;
    // The first is the one with which clients come back.
    if (channel === 'bench' && data.seq >= 0) past += text;
    const bytes = Buffer.from(text);
    for (const response of responses[channel]) response.write(bytes);
    return id;
  },
});

process.on('SIGTERM', () => {
  for (const response of responses.bench) response.end('retry: 2000\n\n');
  server.close(() => process.kill(process.pid, 'SIGKILL'));
  server.closeIdleConnections();
  setTimeout(() => server.closeAllConnections(), GRACE);
});
