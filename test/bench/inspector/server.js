// An app with the inspector, or without it; `open` opens its page in a process beside this one.
import { Inject } from '@nestjs/common';
import { Sse, SseHub, SseModule } from '../../../dist/index.js';
import { SseInspectorModule } from '../../../dist/sse/inspector/index.js';
import { canPin, ChildProcess } from '../child.js';
import { nestApp } from '../servers/nest-app.js';
import { serve } from '../servers/serve.js';

/** Longer than a run takes. */
const WHOLE_RUN = 600_000;

class Streams {
  constructor(hub) {
    this.hub = hub;
  }

  events() {
    return this.hub.stream('bench');
  }
}
Inject(SseHub)(Streams, undefined, 0);

const inspector = process.argv[3];
const app = await nestApp(Streams, Sse, [
  SseModule.forRoot({ history: { count: 10_000, bytes: 16 * 1024 * 1024 } }),
  ...(inspector === 'off' ? [] : [SseInspectorModule.forRoot({ path: 'inspector', guards: 'none' })]),
]);
const hub = app.get(SseHub);
const server = app.getHttpServer();

if (inspector === 'open') {
  // The page has the core of the clients.
  const page = new ChildProcess('inspector/page.js', [], canPin() ? 1 : undefined);
  server.once('listening', () => {
    // It goes on until this process ends. If it fails, that is an unhandled rejection, which ends this process and the run.
    void page.ask('look', { port: server.address().port }, WHOLE_RUN);
  });
}

serve({
  server,
  publish: (data) => void hub.publish('bench', { data }),
  subscribers: () => hub.subscriberCount('bench'),
});
