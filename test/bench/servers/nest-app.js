import 'reflect-metadata';
import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';

/** A Nest app on Express with one controller, whose method `events` has the given `@Sse()`. */
export async function nestApp(Streams, sse, imports = []) {
  const descriptor = Object.getOwnPropertyDescriptor(Streams.prototype, 'events');
  sse('events')(Streams.prototype, 'events', descriptor);
  Object.defineProperty(Streams.prototype, 'events', descriptor);
  Controller()(Streams);
  class AppModule {}
  Module({ imports, controllers: [Streams] })(AppModule);
  const app = await NestFactory.create(AppModule, { logger: ['warn', 'error'] });
  return app.init();
}
