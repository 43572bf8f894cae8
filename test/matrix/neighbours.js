// An application with popular modules, as teams have them, and with nothing for them but what the guides tell. Another
// takes its place while a client is connected; it prints "yes" where the client gets everything, in order.
import * as Sentry from '@sentry/nestjs';
Sentry.init({ dsn: '', tracesSampleRate: 1 });
import 'reflect-metadata';
import { once } from 'node:events';
import { Controller, Get, Inject, Injectable, Module } from '@nestjs/common';
import { APP_GUARD, APP_INTERCEPTOR, NestFactory } from '@nestjs/core';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import { SkipThrottle, ThrottlerGuard, ThrottlerModule } from '@nestjs/throttler';
import { SentryModule } from '@sentry/nestjs/setup';
import compression from 'compression';
import { EventSource } from 'eventsource';
import session from 'express-session';
import helmet from 'helmet';
import { Redis } from 'ioredis';
import { ClsModule } from 'nestjs-cls';
import { AuthorizeChannel, isSseRoute, Sse, SseHub, SseModule } from 'nestjs-sse-hub';
import { redisBackplane } from 'nestjs-sse-hub/redis';
import { map } from 'rxjs';

/** Decorates a method, as a compiler does. */
function decorate({ prototype }, key, ...decorators) {
  const descriptor = Object.getOwnPropertyDescriptor(prototype, key);
  for (const decorator of decorators.reverse())
    Object.assign(descriptor, decorator(prototype, key, descriptor));
  Object.defineProperty(prototype, key, descriptor);
}

class Rooms {
  mayEnter() {
    return true;
  }
}
decorate(Rooms, 'mayEnter', AuthorizeChannel('rooms/:room'));
Injectable()(Rooms);

class Envelope {
  intercept(context, next) {
    return isSseRoute(context) ? next.handle() : next.handle().pipe(map((data) => ({ data })));
  }
}

class NewsController {
  constructor(hub) {
    this.hub = hub;
  }

  news() {
    return this.hub.stream('news');
  }

  async publish() {
    return { id: await this.hub.publish('news', { type: 'paid', data: 'hello' }) };
  }
}
decorate(NewsController, 'news', SkipThrottle(), Sentry.SentryTraced(), Sse('news'));
decorate(NewsController, 'publish', SkipThrottle(), Get('publish'));
Inject(SseHub)(NewsController, undefined, 0);
Controller()(NewsController);

const redis = new Redis(process.env.REDIS_URL, { maxRetriesPerRequest: null });

class AppModule {}
Module({
  imports: [
    SentryModule.forRoot(),
    ClsModule.forRoot({ global: true, interceptor: { mount: true, generateId: true } }),
    ThrottlerModule.forRoot([{ ttl: 60_000, limit: 1 }]),
    SseModule.forRoot({
      retry: 300,
      backplane: redisBackplane({ client: redis }),
      endpoint: { path: 'live', decorators: [SkipThrottle()] },
    }),
  ],
  controllers: [NewsController],
  providers: [
    Rooms,
    { provide: APP_GUARD, useClass: ThrottlerGuard },
    { provide: APP_INTERCEPTOR, useClass: Envelope },
  ],
})(AppModule);

async function boot(port) {
  const app = await NestFactory.create(AppModule, { logger: ['error', 'warn'] });
  app.use(helmet(), compression(), session({ secret: 'secret', resave: false, saveUninitialized: false }));
  SwaggerModule.setup('docs', app, SwaggerModule.createDocument(app, new DocumentBuilder().build()));
  await app.listen(port, '127.0.0.1');
  return app;
}

const first = await boot(0);
const { port } = first.getHttpServer().address();
const url = `http://127.0.0.1:${port}`;
const get = async (path) => (await fetch(`${url}/${path}`)).json();

const got = [];
const client = new EventSource(`${url}/news`);
for (const type of ['paid', 'gap']) client.addEventListener(type, ({ lastEventId }) => got.push(lastEventId));
const until = async (count) => {
  while (got.length < count) await once(client, 'paid');
};
await once(client, 'open');
const sent = [(await get('publish')).data.id];
await until(1);
await first.close();
const second = await boot(port);
sent.push((await get('publish')).data.id);
await until(2);
sent.push((await get('publish')).data.id);
await until(3);
client.close();
await second.close();
const own = await redis.ping();
redis.disconnect();
await Sentry.close(100);
console.log(own === 'PONG' && got.join() === sent.join() ? 'yes' : `no: ${got.join()} of ${sent.join()}`);
process.exit(); // whatever timers its modules have
