// The application that the matrix runs. It needs no compiler, as not every run-time has the same one.
// ADAPTER says on what it listens, PORT where, DATA is the folder of its log, and PUBLISH a list of what it
// publishes before it listens.
import 'reflect-metadata';
import { Controller, Inject, Module, Post, Query } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Get } from '@nestjs/common';
import { Sse, SseHub, SseModule } from 'nestjs-sse-hub';
import { lmdbBackplane } from 'nestjs-sse-hub/lmdb';

const { ADAPTER = 'express', PORT = '0', DATA = 'data', PUBLISH = '' } = process.env;

const adapters = {
  express: async () => new (await import('@nestjs/platform-express')).ExpressAdapter(),
  fastify: async () => new (await import('@nestjs/platform-fastify')).FastifyAdapter(),
  node: async () => new (await import('@nestjs/platform-node')).NodeAdapter(),
};

class NewsController {
  #asked = 0;

  constructor(hub) {
    this.hub = hub;
  }

  events() {
    this.#asked++;
    return this.hub.stream('news', { replay: 'all' });
  }

  publish(data) {
    return this.hub.publish('news', { data });
  }

  complete() {
    return this.hub.complete('news');
  }

  /** How often a client has asked for the stream. */
  asked() {
    return String(this.#asked);
  }
}

function decorate(target, methods) {
  for (const [key, decorator] of Object.entries(methods)) {
    const descriptor = Object.getOwnPropertyDescriptor(target.prototype, key);
    decorator(target.prototype, key, descriptor);
    Object.defineProperty(target.prototype, key, descriptor);
  }
}

decorate(NewsController, {
  events: Sse('events'),
  publish: Post('publish'),
  complete: Post('complete'),
  asked: Get('asked'),
});
Query('data')(NewsController.prototype, 'publish', 0);
Inject(SseHub)(NewsController, undefined, 0);
Controller()(NewsController);

class AppModule {}
Module({
  imports: [
    SseModule.forRoot({ backplane: lmdbBackplane({ path: DATA }), retry: 200, shutdown: { spread: 0 } }),
  ],
  controllers: [NewsController],
})(AppModule);

const app = await NestFactory.create(AppModule, await adapters[ADAPTER](), { logger: ['error', 'warn'] });
// Deno does not know all the signals that Nest listens to by default.
app.enableShutdownHooks(['SIGTERM']);
await app.init();
for (const data of PUBLISH.split(',').filter(Boolean)) await app.get(SseHub).publish('news', { data });
await app.listen(Number(PORT), '127.0.0.1');
console.log('listening');
