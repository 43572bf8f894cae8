// A server that is asked over IPC what it still has. It runs with --expose-gc.
import 'reflect-metadata';
import { setTimeout as delay } from 'node:timers/promises';
import { Controller, Inject, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { AuthorizeChannel, Sse, SseHub, SseModule } from '../../../dist/index.js';
import { ConnectionAccess } from '../../../dist/sse/access/connection-access.js';
import { SseConnection } from '../../../dist/sse/http/sse-connection.js';
import { Cursor } from '../../../dist/sse/streams/cursor.js';
import { StreamReader } from '../../../dist/sse/streams/stream-reader.js';
import { answerFigures } from '../../support/soak-figures.js';

class Streams {
  constructor(hub) {
    this.hub = hub;
  }

  events() {
    return this.hub.stream(['rooms/1', 'rooms/2', 'news']);
  }

  denied() {
    return this.hub.stream('rooms/13');
  }

  mayEnter({ params, user }) {
    const isGranted = params.room !== '13' && user === 'ann';
    return params.room === '2' ? delay(2, isGranted) : isGranted;
  }
}

function decorate(decorator, key) {
  const descriptor = Object.getOwnPropertyDescriptor(Streams.prototype, key);
  decorator(Streams.prototype, key, descriptor);
  Object.defineProperty(Streams.prototype, key, descriptor);
}
decorate(Sse('events'), 'events');
decorate(Sse('denied'), 'denied');
decorate(AuthorizeChannel('rooms/:room'), 'mayEnter');
Inject(SseHub)(Streams, undefined, 0);
Controller()(Streams);

const identify = async () => ({ user: 'ann', expiresAt: Date.now() + 600_000 });

class AppModule {}
Module({
  imports: [SseModule.forRoot({ identify, reauthorize: 300_000, ttl: 1 })],
  controllers: [Streams],
})(AppModule);

const app = await NestFactory.create(AppModule, { logger: false });
await app.listen(0, '127.0.0.1');
answerFigures(app, app.get(SseHub), [SseConnection, ConnectionAccess, StreamReader, Cursor]);
