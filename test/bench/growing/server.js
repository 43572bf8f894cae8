// A server whose streams all have the one channel, or each a channel of its own.
import { setImmediate as turn } from 'node:timers/promises';
import { Inject } from '@nestjs/common';
import { Sse, SseHub, SseModule } from '../../../dist/index.js';
import { serveCommands, usage } from '../commands.js';
import { BenchEvents } from '../events.js';
import { nestApp } from '../servers/nest-app.js';

const [, , seed, channels, heartbeat] = process.argv;
const events = new BenchEvents(Number(seed));
let streams = 0;

class Streams {
  constructor(hub) {
    this.hub = hub;
  }

  events() {
    return this.hub.stream(channels === 'own' ? `own/${streams++}` : 'bench');
  }
}
Inject(SseHub)(Streams, undefined, 0);

const app = await nestApp(Streams, Sse, [SseModule.forRoot({ heartbeat: Number(heartbeat) })]);
const hub = app.get(SseHub);
const server = app.getHttpServer();
const listening = new Promise((resolve) => {
  server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => resolve(server.address().port));
});

serveCommands({
  port: () => listening,
  usage,
  subscribers: () => hub.stats().subscribers,
  /** Publishes an event, and events 0 to `count - 1` after it; answers with the id of the first. */
  async fill({ count }) {
    const [id] = await Promise.all(
      Array.from({ length: count + 1 }, (_, i) =>
        hub.publish('bench', { data: events.at(Math.max(0, i - 1)) }),
      ),
    );
    return id;
  },
  /** Publishes an event to each stream's own channel, some in each turn. */
  async publishToEach({ seq }) {
    for (let i = 0; i < streams; i++) {
      void hub.publish(`own/${i}`, { data: events.at(seq) });
      if (i % 10 === 9) await turn();
    }
  },
});
