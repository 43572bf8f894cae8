// A Nest route that has the response, and writes to it: what one writes by hand. With `gzip` each response has a compressor,
// and each event an id as long as the hub's, so that both compress the same text.
import { randomBytes } from 'node:crypto';
import { constants, createGzip } from 'node:zlib';
import { Get, Res } from '@nestjs/common';
import { eventText } from './bare-sockets.js';
import { nestApp } from './nest-app.js';
import { serve } from './serve.js';

const HEAD = { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' };
const isCompressed = process.argv[3] === 'gzip';
const writers = new Set();

function plain(response) {
  response.writeHead(200, HEAD);
  response.flushHeaders();
  return (text) => response.write(text);
}

function compressed(response) {
  response.writeHead(200, { ...HEAD, 'content-encoding': 'gzip' });
  response.flushHeaders();
  const gzip = createGzip();
  gzip.pipe(response);
  return (text) => {
    gzip.write(text);
    gzip.flush(constants.Z_SYNC_FLUSH);
  };
}

const idLine = ({ seq }) => `id: ${seq}.${randomBytes(6).toString('base64url')}hash\n`;

class Streams {
  events(response) {
    const write = isCompressed ? compressed(response) : plain(response);
    writers.add(write);
    response.on('close', () => writers.delete(write));
  }
}
Res()(Streams.prototype, 'events', 0);

const app = await nestApp(Streams, Get);
serve({
  server: app.getHttpServer(),
  publish: (data) => {
    const text = isCompressed ? idLine(data) + eventText(data) : eventText(data);
    for (const write of writers) write(text);
  },
  subscribers: () => writers.size,
});
