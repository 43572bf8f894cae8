// An app of a library user, on the built package, that a signal ends. `node signal-app.js exit` ends by
// process.exit(), else by the signal.
import 'reflect-metadata';
import { Controller, Inject, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Sse, SseHub, SseModule } from '../../../dist/index.js';

class Streams {
  constructor(hub) {
    this.hub = hub;
  }

  news() {
    return this.hub.stream('news', { replay: 'all' });
  }

  async onModuleDestroy() {
    await this.hub.publish('news', { data: 'farewell' });
  }
}
Inject(SseHub)(Streams, undefined, 0);
const descriptor = Object.getOwnPropertyDescriptor(Streams.prototype, 'news');
Sse('news')(Streams.prototype, 'news', descriptor);
Object.defineProperty(Streams.prototype, 'news', descriptor);
Controller()(Streams);

class AppModule {}
Module({ imports: [SseModule.forRoot({ shutdown: { grace: 200 } })], controllers: [Streams] })(AppModule);

const app = await NestFactory.create(AppModule, { logger: ['warn', 'error'] });
app.enableShutdownHooks([], { useProcessExit: process.argv[2] === 'exit' });
await app.listen(0, '127.0.0.1');
const hub = app.get(SseHub);
for (let i = 0; i < 80; i++) await hub.publish('news', { data: '.'.repeat(100_000) });
console.log(await app.getUrl());
