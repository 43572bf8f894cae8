// An app whose users are known, and may be revoked a channel: each stream has that one, and another.
import { Inject } from '@nestjs/common';
import { Sse, SseHub, SseModule } from '../../../dist/index.js';
import { serveCommands, usage } from '../commands.js';
import { nestApp } from '../servers/nest-app.js';

class Streams {
  constructor(hub) {
    this.hub = hub;
  }

  events() {
    return this.hub.stream(['bench', 'other']);
  }
}
Inject(SseHub)(Streams, undefined, 0);

const app = await nestApp(Streams, Sse, [
  SseModule.forRoot({ heartbeat: 0, identify: ({ headers }) => ({ user: headers['x-user'] }) }),
]);
const hub = app.get(SseHub);
const server = app.getHttpServer();
const listening = new Promise((resolve) => {
  server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => resolve(server.address().port));
});

serveCommands({
  port: () => listening,
  usage,
  subscribers: () => hub.subscriberCount('bench'),
  /** How many streams had the channel, and how long it took here, in milliseconds. */
  async revoke({ user }) {
    const began = performance.now();
    const { ended: revoked } = await hub.revoke(user, 'bench');
    return { revoked, took: performance.now() - began };
  },
});
