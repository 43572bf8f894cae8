// One instance of an application, on the built package, that does what its parent says. Run with its
// settings as JSON: { backplane: 'redis' | 'nats' | 'lmdb', url, port, sse, remote, hasUsers }. The url of LMDB is
// a directory.
import 'reflect-metadata';
import { setTimeout as delay } from 'node:timers/promises';
import { Controller, Get, Inject, Module, Post, Query, ServiceUnavailableException } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Sse, SseHub, SseModule } from '../../dist/index.js';
import { lmdbBackplane } from '../../dist/sse/backplanes/lmdb/index.js';
import { natsBackplane } from '../../dist/sse/backplanes/nats/index.js';
import { redisBackplane } from '../../dist/sse/backplanes/redis/index.js';

const { backplane, url, port, sse, remote, hasUsers } = JSON.parse(process.argv[2]);

class Streams {
  constructor(hub) {
    this.hub = hub;
  }

  events(channels) {
    return this.hub.stream(channels.split(','));
  }

  ready() {
    const { ready } = this.hub.health();
    if (ready.status === 'down') throw new ServiceUnavailableException(ready);
    return ready;
  }

  note() {
    return 'noted';
  }
}
Inject(SseHub)(Streams, undefined, 0);
const descriptor = Object.getOwnPropertyDescriptor(Streams.prototype, 'events');
Query('channels')(Streams.prototype, 'events', 0);
Sse('events')(Streams.prototype, 'events', descriptor);
Object.defineProperty(Streams.prototype, 'events', descriptor);
Get('health/ready')(Streams.prototype, 'ready', Object.getOwnPropertyDescriptor(Streams.prototype, 'ready'));
Post('notes')(Streams.prototype, 'note', Object.getOwnPropertyDescriptor(Streams.prototype, 'note'));
Controller()(Streams);

const factory = {
  redis: () => redisBackplane({ ...remote, connection: { url } }),
  nats: () => natsBackplane({ ...remote, connection: { servers: url } }),
  lmdb: () => lmdbBackplane({ path: url }),
}[backplane]();

const users = hasUsers && { identify: ({ query }) => (query.user ? { user: query.user } : undefined) };

class AppModule {}
Module({ imports: [SseModule.forRoot({ ...sse, ...users, backplane: factory })], controllers: [Streams] })(
  AppModule,
);

const app = await NestFactory.create(AppModule, { logger: ['warn', 'error'] });
app.enableShutdownHooks();
await app.listen(port, '127.0.0.1');
const hub = app.get(SseHub);

/** A source that gives 0, 1, 2 and so on, so many, or for ever. */
async function* numbers(count, interval) {
  for (let n = 0; n < (count ?? Infinity); n++) {
    yield { data: String(n) };
    await delay(interval);
  }
}

const outcomeOf = (call) =>
  call.then(
    (id) => ({ id }),
    (error) => ({ code: error.code ?? String(error) }),
  );

const pipes = new Map();

const commands = {
  pipe: (channel, { count, interval = 20, forms, ...options }) => {
    const error = forms ? ({ reason }) => ({ type: 'error', data: { because: reason } }) : undefined;
    pipes.set(channel, outcomeOf(hub.pipe(channel, numbers(count, interval), { ...options, error })));
  },
  piped: (channel) => pipes.get(channel),
  publish: (channel, data, publishId) =>
    outcomeOf(hub.publish(channel, { data }, publishId === undefined ? {} : { publishId })),
  history: async (channel) => (await hub.history(channel)).events.map(({ id, data }) => ({ id, data })),
  presence: (channel) => hub.presence(channel),
  stats: () => hub.stats(),
  memory: () => {
    global.gc();
    const { rss, heapUsed } = process.memoryUsage();
    return { rss, heapUsed };
  },
};

process.on('message', async ({ call, command, args }) => {
  const value = await commands[command](...args);
  if (process.connected) process.send({ call, value });
});
// Whoever started it is gone.
process.on('disconnect', () => process.exit());
process.send('ready');
