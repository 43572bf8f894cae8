// One instance of an application, on the built package, that does what its parent says. Run with its
// settings as JSON: { backplane: 'redis' | 'nats', url, port, sse, remote, hasUsers }.
import 'reflect-metadata';
import { Controller, Inject, Module, Query } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Sse, SseHub, SseModule } from '../../dist/index.js';
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
}
Inject(SseHub)(Streams, undefined, 0);
const descriptor = Object.getOwnPropertyDescriptor(Streams.prototype, 'events');
Query('channels')(Streams.prototype, 'events', 0);
Sse('events')(Streams.prototype, 'events', descriptor);
Object.defineProperty(Streams.prototype, 'events', descriptor);
Controller()(Streams);

const factory =
  backplane === 'redis'
    ? redisBackplane({ ...remote, connection: { url } })
    : natsBackplane({ ...remote, connection: { servers: url } });

const users = hasUsers && { identify: ({ query }) => (query.user ? { user: query.user } : undefined) };

class AppModule {}
Module({ imports: [SseModule.forRoot({ ...sse, ...users, backplane: factory })], controllers: [Streams] })(
  AppModule,
);

const app = await NestFactory.create(AppModule, { logger: ['warn', 'error'] });
app.enableShutdownHooks();
await app.listen(port, '127.0.0.1');
const hub = app.get(SseHub);

const commands = {
  publish: (channel, data, publishId) =>
    hub.publish(channel, { data }, publishId === undefined ? {} : { publishId }).then(
      (id) => ({ id }),
      (error) => ({ code: error.code ?? String(error) }),
    ),
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
