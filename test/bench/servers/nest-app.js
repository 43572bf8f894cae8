import 'reflect-metadata';
import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';

/** A Nest app on Express with one controller, whose method `events` has the given decorator of a route, such as `@Sse()`. */
export async function nestApp(Streams, route, imports = []) {
  const descriptor = Object.getOwnPropertyDescriptor(Streams.prototype, 'events');
  route('events')(Streams.prototype, 'events', descriptor);
  Object.defineProperty(Streams.prototype, 'events', descriptor);
  Controller()(Streams);
  class AppModule {}
  Module({ imports, controllers: [Streams] })(AppModule);
  const app = await NestFactory.create(AppModule, { logger: ['warn', 'error'] });
  return app.init();
}
