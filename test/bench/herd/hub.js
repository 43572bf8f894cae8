// This package, as an app uses it whose health a balancer asks for.
import 'reflect-metadata';
import { Controller, Get, Inject, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Sse, SseHub, SseModule } from '../../../dist/index.js';
import { serve } from './publisher.js';

class Streams {
  constructor(hub) {
    this.hub = hub;
  }

  events() {
    return this.hub.stream('bench');
  }

  bulk() {
    return this.hub.stream(['bench', 'bulk']);
  }

  health() {
    return 'ok';
  }
}
Inject(SseHub)(Streams, undefined, 0);
const routes = { events: Sse('events'), bulk: Sse('bulk'), health: Get('healthz') };
for (const [name, route] of Object.entries(routes)) {
  const descriptor = Object.getOwnPropertyDescriptor(Streams.prototype, name);
  route(Streams.prototype, name, descriptor);
  Object.defineProperty(Streams.prototype, name, descriptor);
}
Controller()(Streams);

class AppModule {}
Module({
  imports: [SseModule.forRoot({ history: { count: 10_000, bytes: 64 * 1024 * 1024 } })],
  controllers: [Streams],
})(AppModule);
const app = await NestFactory.create(AppModule, { logger: ['warn', 'error'] });
await app.init();
const hub = app.get(SseHub);
serve({
  server: app.getHttpServer(),
  publish: async (channel, data) => await hub.publish(channel, { data }),
});
// After the listener of serve(), which ends what is published.
app.enableShutdownHooks();
