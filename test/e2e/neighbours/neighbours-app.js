// An application with popular modules, as teams have them, on the built package. A process of its own, as Jest cannot load
// those that are CommonJS. `node neighbours-app.js` listens; `node neighbours-app.js inject` injects a request and closes.
import 'reflect-metadata';
import { Controller, Get, Inject, Injectable, Module } from '@nestjs/common';
import { APP_GUARD, APP_INTERCEPTOR, NestFactory } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { SkipThrottle, ThrottlerGuard, ThrottlerModule } from '@nestjs/throttler';
import compression from 'compression';
import session from 'express-session';
import helmet from 'helmet';
import { ClsModule, ClsService } from 'nestjs-cls';
import { map } from 'rxjs';
import { AuthorizeChannel, Sse, SseHub, SseModule } from '../../../dist/index.js';

/** Decorates a method, as a compiler does. */
function decorate(target, key, ...decorators) {
  const descriptor = Object.getOwnPropertyDescriptor(target.prototype, key);
  for (const decorator of decorators.reverse()) decorator(target.prototype, key, descriptor);
  Object.defineProperty(target.prototype, key, descriptor);
}

class Rooms {
  mayEnter() {
    return true;
  }
}
decorate(Rooms, 'mayEnter', AuthorizeChannel('rooms/:room'));
Injectable()(Rooms);

/** The envelope of Nest's guide, which spares streams by Nest's mark. */
class Envelope {
  intercept(context, next) {
    const isStream = Reflect.getMetadata('__sse__', context.getHandler());
    return isStream ? next.handle() : next.handle().pipe(map((data) => ({ data })));
  }
}

class NewsController {
  constructor(hub, cls) {
    this.hub = hub;
    this.cls = cls;
  }

  news() {
    const id = this.cls.getId();
    const isSame = () => this.cls.getId() === id;
    return this.hub.stream('news').pipe(map((event) => ({ ...event, data: [event.data, isSame()] })));
  }

  async publish() {
    await this.hub.publish('news', { type: 'paid', data: 'hello' });
    await this.hub.publish('rooms/b', { type: 'said', data: 'hello' });
    return { ...this.hub.stats(), subscribers: await this.hub.subscriberCount('news') };
  }
}
decorate(NewsController, 'news', SkipThrottle(), Sse('news'));
decorate(NewsController, 'publish', SkipThrottle(), Get('publish'));
Inject(SseHub)(NewsController, undefined, 0);
Inject(ClsService)(NewsController, undefined, 1);
Controller()(NewsController);

class AppModule {}
Module({
  imports: [
    SseModule.forRoot({ endpoint: { path: 'live', decorators: [SkipThrottle()] } }),
    ClsModule.forRoot({ global: true, interceptor: { mount: true, generateId: true } }),
    ThrottlerModule.forRoot([{ ttl: 60_000, limit: 1 }]),
  ],
  controllers: [NewsController],
  providers: [
    Rooms,
    { provide: APP_GUARD, useClass: ThrottlerGuard },
    { provide: APP_INTERCEPTOR, useClass: Envelope },
  ],
})(AppModule);

async function listen() {
  const app = await NestFactory.create(AppModule, { logger: ['error', 'warn'] });
  app.enableShutdownHooks();
  app.use(helmet(), compression(), session({ secret: 'secret', resave: false, saveUninitialized: false }));
  await app.listen(0, '127.0.0.1');
  console.log(await app.getUrl());
}

async function inject() {
  const app = await NestFactory.create(AppModule, new FastifyAdapter(), { logger: ['error', 'warn'] });
  await app.init();
  const response = await app.inject({ url: '/news', payloadAsStream: true });
  let text = '';
  const stream = response.stream().on('data', (data) => (text += data));
  const ended = new Promise((resolve) => stream.on('end', resolve));
  await app.get(SseHub).publish('news', { type: 'paid', data: 'hello' });
  while (!text.includes('event: paid')) await new Promise((resolve) => stream.once('data', resolve));
  await app.close();
  await ended;
  console.log(/\nretry: \d+\n\n$/.test(text) ? 'injected, ended and closed' : text);
}

await (process.argv[2] === 'inject' ? inject() : listen());
