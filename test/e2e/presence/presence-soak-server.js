// A server of rooms whose members come and go; it is asked over IPC what it still has.
import 'reflect-metadata';
import { setTimeout as delay } from 'node:timers/promises';
import { Controller, Inject, Module, Query } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Sse, SseHub, SseModule } from '../../../dist/index.js';
import { SseConnection } from '../../../dist/sse/http/sse-connection.js';
import { PUBLISH_ID_MEMORY } from '../../../dist/sse/log/backplane.js';
import { LEASE_TIME } from '../../../dist/sse/cluster/cluster.js';
import { Cursor } from '../../../dist/sse/streams/cursor.js';
import { answerFigures } from '../../support/soak-figures.js';

/** Milliseconds by which this process is ahead of the time. */
let ahead = 0;
for (const clock of [Date, performance]) {
  const now = clock.now.bind(clock);
  clock.now = () => now() + ahead;
}

class Rooms {
  constructor(hub) {
    this.hub = hub;
  }

  events(room) {
    return this.hub.stream([`rooms/${room}`, 'lobby']);
  }
}
Inject(SseHub)(Rooms, undefined, 0);
const descriptor = Object.getOwnPropertyDescriptor(Rooms.prototype, 'events');
Query('room')(Rooms.prototype, 'events', 0);
Sse('events')(Rooms.prototype, 'events', descriptor);
Object.defineProperty(Rooms.prototype, 'events', descriptor);
Controller()(Rooms);

class AppModule {}
Module({
  imports: [
    SseModule.forRoot({
      identify: ({ query }) => ({ user: query.user, info: { name: query.user } }),
      presence: { events: true, grace: 20 },
      limits: { membersPerChannel: 60 }, // fewer than are in the lobby
      ttl: 1,
    }),
  ],
  controllers: [Rooms],
})(AppModule);

const app = await NestFactory.create(AppModule, { logger: false });
await app.listen(0, '127.0.0.1');
const hub = app.get(SseHub);

/** That an event was published is remembered for a time, until another one is. */
async function forget() {
  if (hub.stats().channels > 0) return;
  ahead += PUBLISH_ID_MEMORY;
  await hub.publish('after', { data: '' }, { publishId: 'after' });
  while (hub.stats().channels > 0) await delay(1);
  // So is what an instance has said of members, until it looks after its copies the next time.
  await delay(LEASE_TIME / 2 + 100);
}

const Timeout = setTimeout(() => undefined).constructor;
answerFigures(app, hub, [SseConnection, Cursor, Map, Set, Timeout, Object], forget);
